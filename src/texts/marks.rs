//! The marks of texts in the code. They are exported, and so stand at the crate's root; the module
//! hands them on.

/// A [`Text`](crate::texts::Text): `text!("caller {caller} is unknown", caller = name)`. Values are
/// given by name; `name` alone stands for `name = name`. Literal braces are doubled.
#[macro_export]
macro_rules! text {
    ($english:literal $(, $name:ident $(= $value:expr)?)* $(,)?) => {
        $crate::texts::Text {
            english: {
                // Outside any function it captures no variable: each value must be named.
                const _: fn() = || {
                    let _ = ::core::format_args!($english $(, $name = "")*);
                };
                $english
            },
            values: &[$((
                ::core::stringify!($name),
                &$crate::texts::text!(@ $name $($value)?) as &dyn ::core::fmt::Display,
            )),*],
        }
    };
    (@ $name:ident $value:expr) => { $value };
    (@ $name:ident) => { $name };
}

/// [`Words`](crate::texts::Words), with the values as [`text!`](crate::text) takes them: for what
/// is kept, and shown later in a language that isn't known yet.
#[macro_export]
macro_rules! words {
    ($($text:tt)*) => { $crate::texts::Words::from($crate::texts::text!($($text)*)) };
}

/// Marks a constant that [`translated`](crate::texts::translated) shows later, as gettext's `N_()`
/// does: in tables and in the command line's help.
#[macro_export]
macro_rules! marked {
    ($english:literal) => {
        $english
    };
}
