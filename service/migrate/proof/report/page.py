"""The report as one HTML page: no script, no outside request, for light and dark screens and for phones."""

from collections.abc import Iterator, Sequence
from html import escape
from itertools import groupby

from service.db.counting import counted
from service.migrate.proof.report import plots
from service.migrate.proof.report.contents import Contents, Line, duration, locks_of

_STYLE = """
:root{color-scheme:light dark;--ink:#1f2328;--soft:#59636e;--page:#fff;--card:#f6f8fa;--edge:#d1d9e0;--bad:#cf222e;
--good:#1a7f37;--one:#0969da;--two:#bf8700;--three:#8250df}
@media (prefers-color-scheme:dark){:root{--ink:#e6edf3;--soft:#9198a1;--page:#0d1117;--card:#151b23;--edge:#3d444d;
--bad:#f85149;--good:#3fb950;--one:#4493f8;--two:#d29922;--three:#ab7df8}}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--ink);font:15px/1.5 system-ui,sans-serif}
main{max-width:1100px;margin:0 auto;padding:24px 16px 64px}
h1{font-size:26px;margin:0 0 4px}h2{font-size:19px;margin:36px 0 10px}h3{font-size:15px;margin:20px 0 6px}
.verdict{border-left:6px solid var(--good);background:var(--card);padding:16px;border-radius:6px}
.verdict.bad{border-color:var(--bad)}.verdict p{margin:2px 0;color:var(--soft)}.verdict b{color:var(--ink)}
.verdict p,h2,summary{overflow-wrap:anywhere}
.scroll{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-size:14px}
th,td{text-align:left;vertical-align:top;padding:6px 10px 6px 0;border-bottom:1px solid var(--edge)}
th{color:var(--soft);font-weight:600;white-space:nowrap}
td{overflow-wrap:break-word}td:first-child,td code{white-space:nowrap}
th.number,td.number{text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums}
details{border-bottom:1px solid var(--edge)}summary{padding:6px 0;cursor:pointer}
.note{color:var(--soft)}.advice{color:var(--soft);display:block}
code{font:13px ui-monospace,SFMono-Regular,Menlo,Consolas,monospace}
.plots{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,420px),1fr));gap:24px}
.plot{width:100%;max-width:560px;height:auto}.plot text{font:11px system-ui,sans-serif;fill:var(--soft)}
.plot .label{font-weight:600;fill:var(--ink)}.plot .one{fill:var(--one)}.plot .two{fill:var(--two)}
.plot .three{fill:var(--three)}
.diagram{overflow-x:auto;border:1px solid var(--edge);border-radius:6px}.diagram svg{display:block;margin:0 auto}
@media (max-width:640px){
.cards thead{display:none}.cards tr{display:block;padding:8px 0;border-bottom:1px solid var(--edge)}
.cards td,.cards td code{white-space:normal;overflow-wrap:anywhere}
.cards td{display:block;border:0;padding:1px 0;text-align:left}.cards td:empty{display:none}
.cards td[data-head]::before{content:attr(data-head) ": ";color:var(--soft)}}
"""


def written(contents: Contents, diagram: str, diagram_style: str, title: str) -> str:
    """The page; `diagram` is the SVG of what changes, or empty."""
    body = [
        *_verdict(contents, title),
        *_findings(contents.lines),
        *(("<h2>What changes</h2>", f'<div class="diagram">{diagram}</div>') if diagram else ()),
        *_plan(contents),
        *_rehearsal(contents),
    ]
    return "\n".join(
        [
            '<!doctype html><html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width,initial-scale=1">',
            "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">",
            f"<title>{escape(title)}: {escape(contents.verdict)}</title>",
            f"<style>{_STYLE}{diagram_style}</style></head><body><main>",
            *body,
            "</main></body></html>",
            "",
        ]
    )


def _verdict(contents: Contents, title: str) -> Iterator[str]:
    yield f'<div class="verdict{" bad" if contents.findings else ""}">'
    yield f"<h1>{escape(contents.verdict.capitalize())}</h1>"
    yield f"<p>{escape(title)}</p>"
    yield from (f"<p><b>{escape(tool)}</b> {escape(what)}</p>" for tool, what in contents.summary)
    yield "</div>"


def _findings(lines: Sequence[Line]) -> Iterator[str]:
    if not lines:
        return
    yield "<h2>Findings</h2>"
    rows = []
    for each in sorted(lines, key=lambda each: each.is_note):
        advice = f'<span class="advice">{escape(each.advice)}</span>' if each.advice else ""
        tool = f'<span class="note">{escape(each.tool)}, note</span>' if each.is_note else escape(each.tool)
        rows.append((tool, _code(each.revision), escape(each.where), escape(each.what) + advice))
    yield from _table(("tool", "revision", "where", "what"), rows)


def _plan(contents: Contents) -> Iterator[str]:
    if contents.plan is None or not contents.plan.planned:
        return
    yield f"<h2>Plan for {escape(contents.plan.database)}</h2>"
    for (phase, revision), group in groupby(contents.plan.planned, key=lambda each: (each.phase, each.revision)):
        steps = list(group)
        what = f"{phase} <code>{escape(revision)}</code>: {counted(len(steps), 'action')}{duration(steps)}"
        yield f"<details><summary>{what}</summary>"
        rows = [
            (
                escape(each.title),
                escape(f"{each.mode} on {', '.join(each.tables)}: {each.blocks}") if each.mode else "",
                "" if each.rows is None else f"{'' if each.is_exact else 'about '}{each.rows:,}",
                "" if each.seconds is None else f"{each.seconds:.2g} s",
            )
            for each in steps
        ]
        yield from _table(("step", "lock", "rows to fill", "about"), rows, numbers=(2, 3))
        yield "</details>"
    if not contents.plan.tables:
        return
    yield "<h3>Tables</h3>"
    sizes = [
        (
            escape(each.name),
            f"{'' if each.is_exact else 'about '}{each.rows:,}",
            "" if each.bytes is None else f"{each.bytes / 1e6:,.1f} MB",
        )
        for each in contents.plan.tables
    ]
    yield from _table(("table", "rows", "size"), sizes, numbers=(1, 2))


def _rehearsal(contents: Contents) -> Iterator[str]:
    for heading, phases in contents.runs:
        yield f"<h2>Rehearsal on {escape(heading)}</h2>"
        has_locks = any(each.locks.waited_ms or each.locks.held_ms for each in phases)
        drawn = [plots.latency(phases), *([plots.lock_waits(phases)] if has_locks else [])]
        titles = ["Latency of requests, in milliseconds", "Locks of the migrator, in milliseconds"]
        yield '<div class="plots">'
        yield from (f"<div><h3>{title}</h3>{plot}</div>" for title, plot in zip(titles, drawn, strict=False))
        yield "</div>"
        rows = [
            (
                escape(each.name),
                f"{each.seen.requests:,}",
                f"{each.failed:,}",
                f"{each.lost:,}",
                f"{each.seen.p99_ms:,.0f}",
                "" if each.p99_ratio is None else f"{each.p99_ratio:,.2f}",
                f"{each.seen.longest_ms:,.0f}",
                *locks_of(each),
                f"{each.seconds:.1f}",
            )
            for each in phases
        ]
        heads = ("phase", "requests", "failed", "lost", "p99 ms", "ratio", "max ms", "waited ms", "held ms", "s")
        yield from _table(heads, rows, numbers=range(1, len(heads)))


def _class(*, is_number: bool) -> str:
    return " class=number" if is_number else ""


def _code(text: str) -> str:
    return f"<code>{escape(text)}</code>" if text else ""


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]], *, numbers: Sequence[int] = ()) -> Iterator[str]:
    """Cells are HTML already."""
    yield '<div class="scroll"><table class="cards"><thead><tr>'
    yield "".join(f"<th{_class(is_number=at in numbers)}>{escape(head)}</th>" for at, head in enumerate(heads))
    yield "</tr></thead><tbody>"
    for row in rows:
        cells = (
            f'<td{_class(is_number=at in numbers)} data-head="{escape(heads[at])}">{cell}</td>' if cell else "<td></td>"
            for at, cell in enumerate(row)
        )
        yield f"<tr>{''.join(cells)}</tr>"
    yield "</tbody></table></div>"
