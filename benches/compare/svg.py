"""A small writer of SVG. The colours can be read on a light ground and on a dark one; there is no
ground of its own."""

from xml.sax.saxutils import escape

TEXT = "#777777"
GRID = "#88888855"


class Picture:
    def __init__(self, width, height, title):
        self.size = width, height
        self.parts = [f"<title>{escape(title)}</title>"]

    def text(self, x, y, words, anchor="start", colour=TEXT, weight="normal"):
        self.parts.append(f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}" '
                          f'font-weight="{weight}">{escape(words)}</text>')

    def line(self, points, colour, width=1.0, dash=""):
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        dashes = f' stroke-dasharray="{dash}"' if dash else ""
        self.parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="{width}"{dashes}/>')

    def mark(self, x, y, shape, colour, size=4.5):
        """Shapes tell apart what colours alone may not."""
        if shape == "circle":
            self.parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{size}" fill="{colour}"/>')
            return
        corners = {
            "square": [(-1, -1), (1, -1), (1, 1), (-1, 1)],
            "diamond": [(0, -1.3), (1.3, 0), (0, 1.3), (-1.3, 0)],
            "triangle": [(0, -1.2), (1.2, 1), (-1.2, 1)],
        }[shape]
        path = " ".join(f"{x + a * size * 0.9:.1f},{y + b * size * 0.9:.1f}" for a, b in corners)
        self.parts.append(f'<polygon points="{path}" fill="{colour}"/>')

    def written(self):
        width, height = self.size
        body = "\n".join(self.parts)
        return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
                f'role="img" font-family="system-ui, sans-serif" font-size="12">\n{body}\n</svg>\n')
