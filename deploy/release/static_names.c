/* Linked into static builds alone (build.rs).
 *
 * glibc's getaddrinfo loads the modules that the machine's /etc/nsswitch.conf names (mdns4_minimal, resolve,
 * myhostname), in a static program too. These want the glibc that they were built with: with another one the process
 * dies of SIGABRT or SIGFPE inside dlopen. `files` and `dns` are built in since glibc 2.34, so a static wxgate looks names
 * up in /etc/hosts and by the name servers of /etc/resolv.conf, whatever nsswitch.conf says. */
#include <nss.h>

__attribute__((constructor)) static void look_up_without_modules(void) {
    __nss_configure_lookup("hosts", "files dns");
    __nss_configure_lookup("passwd", "files");
    __nss_configure_lookup("group", "files");
}
