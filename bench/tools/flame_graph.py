#!/usr/bin/env python3
"""Draws a flame graph (Gregg: The Flame Graph, 2016) of what `perf script` prints, as an SVG without scripts.

  perf script -i perf.data | flame_graph.py TITLE > graph.svg

The width of a box is the share of samples in which the function was on the stack; boxes of less than 0.4 % are left out, and so
are the threads' own beginnings. A box's text is also its tooltip, with the share.
"""
import html
import re
import sys

WIDTH, ROW, LEAST = 1200, 17, 0.004
SHORT = [
    (re.compile(r"\[clone [^]]*\]|\+0x[0-9a-f]+$"), ""),
    (re.compile(r"std::__cxx11::basic_string<[^<>]*(<[^<>]*>[^<>]*)*>"), "string"),
    (re.compile(r"std::basic_string_view<[^<>]*(<[^<>]*>[^<>]*)*>"), "string_view"),
]
LEFT_OUT = {"__clone3", "start_thread", "clone3", "execute_native_thread_routine", "[unknown]", "_start", "__libc_start_main"}


def shortened(name):
    for pattern, text in SHORT:
        name = pattern.sub(text, name)
    while True:  # arguments of templates and functions, from the inside
        less = re.sub(r"<[^<>()]*>|\((?!anonymous)[^()]*\)", "", name)
        if less == name:
            return name.strip()
        name = less


def stacks(lines):
    """Gives each sample's functions, the outermost first, below its thread's name."""
    thread, frames = None, []
    for line in lines:
        if not line.strip():
            if thread is not None and frames:
                yield [thread] + frames[::-1]
            thread, frames = None, []
        elif not line[0].isspace():
            thread = line.split()[0]
        else:
            parts = line.strip().split(" ", 1)
            name = shortened(parts[1].rsplit(" (", 1)[0]) if len(parts) > 1 else ""
            if "/memfd:" in line:  # the job's library, whose file has no name any more
                name = "the job's own code"
                if frames and frames[-1] == name:
                    continue
            if name and name not in LEFT_OUT:
                frames.append(name)
    if thread is not None and frames:
        yield [thread] + frames[::-1]


class Box:
    def __init__(self, name):
        self.name, self.samples, self.inner = name, 0, {}

    def add(self, stack):
        self.samples += 1
        if stack:
            self.inner.setdefault(stack[0], Box(stack[0])).add(stack[1:])

    def depth(self, total):
        if self.samples < LEAST * total:
            return 0
        return 1 + max((box.depth(total) for box in self.inner.values()), default=0)


def color(name, level):
    if level == 0:
        return "#d8d8d8"
    shade = sum(ord(c) * (i + 7) for i, c in enumerate(name[:40])) % 60
    if "rd_kafka" in name or "rdk" in name:
        return f"rgb({120 + shade},{160 + shade},235)"
    if name.startswith("mi_") or "malloc" in name or "free" in name:
        return f"rgb({170 + shade},{205 + shade // 2},{130 + shade})"
    return f"rgb({225 + shade // 3},{120 + shade},{60 + shade})"


def draw(box, x, level, scale, top, total, out):
    width = box.samples * scale
    if box.samples < LEAST * total:
        return
    y = top - level * ROW
    share = f"{100 * box.samples / total:.1f} %"
    text = html.escape(box.name)
    fits = int(width / 6.6)
    shown = html.escape(box.name if len(box.name) <= fits else box.name[: max(0, fits - 2)] + "…") if fits > 3 else ""
    out.append(f'<g><title>{text} ({share})</title><rect x="{x:.1f}" y="{y}" width="{max(width - 0.5, 0.5):.1f}" '
               f'height="{ROW - 1}" fill="{color(box.name, level)}"/>'
               + (f'<text x="{x + 3:.1f}" y="{y + 12}">{shown}</text>' if shown else "") + "</g>")
    for inner in sorted(box.inner.values(), key=lambda b: b.name):
        draw(inner, x, level + 1, scale, top, total, out)
        x += inner.samples * scale


def main():
    root = Box("all")
    for stack in stacks(sys.stdin):
        root.add(stack)
    if root.samples == 0:
        sys.exit("flame_graph.py: there is no sample in what perf script printed")
    height = (root.depth(root.samples) + 2) * ROW
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}" '
           'font-family="monospace" font-size="11"><rect width="100%" height="100%" fill="#fff"/>',
           f'<text x="4" y="13" font-size="13">{html.escape(sys.argv[1] if len(sys.argv) > 1 else "")} '
           f'({root.samples} samples)</text>']
    draw(root, 0, 0, WIDTH / root.samples, height - ROW - 2, root.samples, out)
    print("\n".join(out) + "\n</svg>")


if __name__ == "__main__":
    main()
