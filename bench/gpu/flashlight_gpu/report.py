# SPDX-License-Identifier: Apache-2.0
"""Tables and plots from recorded runs. Everything printed comes out of the JSON files; nothing is typed in."""

import argparse
import json
import pathlib

from . import cases as catalogue, svg
from .worker import OUT_OF_TIME

BEGIN, END = "<!-- results: written by scripts/gpu-report -->", "<!-- end of results -->"
NOTHING = "No run on a GPU has been recorded yet. All figures that this page could show are still to be measured.\n"
README_NOTHING = "No run on a GPU has been recorded yet: no kernel has been timed.\n"
OWN = ("flashlight", "flashlight-sm80")  # ours, by the architecture of the kernels


def load(folder):
    """The recorded runs, oldest first. A dry run is refused: its times say nothing about a GPU."""
    runs = []
    for path in sorted(folder.glob("*.json")):
        run = json.loads(path.read_text())
        if run.get("dry_run", True):
            raise SystemExit(f"{path}: a dry run is no result")
        runs.append({**run, "file": path.name})
    return sorted(runs, key=lambda r: (r["date"], r["file"]))


def place(key):
    """Where a case stands on the page: variants as they are listed, sizes from small to large, whatever order they were timed in."""
    variant, label = key
    labels = [s.label for s in catalogue.VARIANTS[variant].sizes] if variant in catalogue.VARIANTS else []
    variants = list(catalogue.VARIANTS)
    return variants.index(variant) if labels else len(variants), labels.index(label) if label in labels else len(labels)


def join(before, after):
    """A case of two passes: results by name, the later one's in place of the earlier one's unless it had no time for it. Each keeps
    what ours took in its own pass, for only figures of one pass are compared."""
    results = {r["name"]: r for r in before["results"]} if before else {}
    own = next((r["ms"] for r in after["results"] if r["name"] == OWN[0] and "ms" in r), None)
    for r in after["results"]:
        if r["name"] not in results or r.get("absent") != OUT_OF_TIME:
            results[r["name"]] = {**r, "beside_ms": own} if "ms" in r else r
    return {**after, "results": list(results.values())}


def merge(runs):
    """Runs of one device and commit as one: (device, commit) -> run with all cases and all that was timed in any pass."""
    merged = {}
    for run in runs:
        one = merged.setdefault((run["device"], run["commit"]), {**run, "files": [], "cases": {}, "left_out": []})
        one["files"].append(run["file"])
        one["left_out"] += run.get("left_out", [])
        if "matmul_tflops" not in one["ceilings"]:
            one["ceilings"] = run["ceilings"]
        for case in run["cases"]:
            key = case["variant"], case["size"]["label"]
            one["cases"][key] = join(one["cases"].get(key), case)
    for one in merged.values():
        one["cases"] = {key: one["cases"][key] for key in sorted(one["cases"], key=place)}
        timed = {f"{variant} {label}" for variant, label in one["cases"]}
        one["left_out"] = [text for text in one["left_out"] if text.split(":")[0] not in timed]
    return list(merged.values())


def best_rival(case):
    """The fastest correct implementation that is not ours; None."""
    rivals = [r for r in case["results"] if r["name"] not in OWN and r.get("ms") and r.get("correct", True)]
    return min(rivals, key=lambda r: r["ms"]) if rivals else None


def ours(case):
    return next((r for r in case["results"] if r["name"] == "flashlight"), None)


def times_as_fast(mine, rival):
    """By what ours took in the pass that timed the rival."""
    if not mine or not mine.get("ms") or not mine["correct"] or not rival or not rival.get("beside_ms"):
        return "-"
    return f"{rival['ms'] / rival['beside_ms']:.2f}"


def cell(result):
    if result is None or "absent" in result:
        return "absent"
    wrong = "" if result.get("correct", True) else " **wrong**"
    return f"{result['ms']:.3f} ms, {result['tflops']:.0f}{wrong}"


def table(headings, rows):
    lines = ["| " + " | ".join(headings) + " |", "| " + " | ".join("---" for _ in headings) + " |"]
    return "\n".join(lines + ["| " + " | ".join(r) + " |" for r in rows]) + "\n"


def of_ceilings(case, result, run):
    """How near a result comes to the run's own large product or large copy, whichever is nearer."""
    c = run["ceilings"]
    if not c.get("matmul_tflops") or "tb_s" not in result:
        return "-"
    parts = {"product": result["tflops"] / c["matmul_tflops"], "copy": result["tb_s"] / c["copy_tb_s"]}
    what = max(parts, key=parts.get)
    return f"{100 * parts[what]:.0f} % of {what}"


def cases_table(cases, run):
    """A row a case: ours, the fastest rival, how many times as fast, how near the ceilings, and the errors."""
    rows = []
    for case in cases:
        mine, rival = ours(case), best_rival(case)
        timed = mine and "ms" in mine and mine["correct"] and rival
        rows.append([
            case["variant"], case["size"]["label"], cell(mine), f"{rival['name']}: {cell(rival)}" if rival else "none",
            times_as_fast(mine, rival), of_ceilings(case, mine, run) if timed else "-",
            f"{mine['error']:.1e} ({case['allowed_error']:.1e})" if mine and mine.get("error") is not None else "-",
        ])
    return table(["variant", "size", "flashlight: time, TFLOP/s", "fastest rival", "times as fast", "of this run's ceilings", "error (allowed)"], rows)


def rivals_table(cases):
    """A row a case, a column an implementation: TFLOP/s."""
    names = list(dict.fromkeys(r["name"] for c in cases for r in c["results"]))
    rows = []
    for case in cases:
        by = {r["name"]: r for r in case["results"]}
        shown = lambda r: "-" if r is None else "absent" if "absent" in r else f"{r['tflops']:.0f}" + ("" if r.get("correct", True) else " wrong")  # noqa: E731
        rows.append([case["variant"], case["size"]["label"], *(shown(by.get(n)) for n in names)])
    return table(["TFLOP/s", "size", *names], rows)


def masks_table(cases):
    rows = [[c["variant"], c["size"]["label"], r["name"], f"{r['ms']:.3f}", f"{r['block_mask_ms']:.3f}"]
            for c in cases for r in c["results"] if r.get("block_mask_ms")]
    return table(["variant", "size", "rival", "kernel, ms", "making the block mask, ms"], rows) if rows else ""


def absences(cases):
    """Each reason once, with the cases it concerns."""
    reasons = {}
    for case in cases:
        for r in case["results"]:
            if "absent" in r:
                reasons.setdefault((r["name"], r["absent"]), []).append(f"{case['variant']} {case['size']['label']}")
    return "".join(f"- {name}: {why} ({', '.join(where) if len(where) <= 4 else f'{len(where)} cases'})\n" for (name, why), where in reasons.items())


def ceilings(run):
    c = run["ceilings"]
    if "matmul_tflops" not in c:
        return "No ceilings were measured in this run.\n"
    clock = (c.get("clocks_in_matmul") or {}).get("clocks.sm", "unknown")
    return f"Ceilings of the same run: {c['matmul_tflops']} TFLOP/s ({c['matmul']}), {c['copy_tb_s']} TB/s ({c['copy']}), SM clock {clock} MHz.\n"


def plots(run):
    """File name -> SVG text."""
    cases, made = list(run["cases"].values()), {}
    by_variant = {}
    for case in cases:
        by_variant.setdefault(case["variant"], []).append(case)
    groups = []
    for variant, some in by_variant.items():
        last = some[-1]
        groups.append((f"{variant} {last['size']['label']}", [(r["name"], r.get("tflops")) for r in last["results"] if r.get("correct", True)]))
    if groups:
        peak = run["ceilings"].get("matmul_tflops")
        made["variants.svg"] = svg.bars(f"Forward, {run['device']}", "TFLOP/s", groups, ("matmul", peak) if peak else None)
    for variant, some in by_variant.items():
        if len(some) < 2:
            continue
        names = list(dict.fromkeys(r["name"] for c in some for r in c["results"] if "ms" in r))
        value = lambda c, n: next((r["tflops"] for r in c["results"] if r["name"] == n and "ms" in r), None)  # noqa: E731
        made[f"{variant}.svg"] = svg.lines(some[0]["title"], "TFLOP/s", [c["size"]["label"] for c in some], [(n, [value(c, n) for c in some]) for n in names])
    return made


def section(run, pictures):
    """Markdown of one merged run. pictures: where its plots lie, relative to the page."""
    cases, drawn = list(run["cases"].values()), plots(run)
    parts = [f"### {run['device']}, {run['date'][:10]}, commit {run['commit'][:12]}\n",
             f"Driver {run['gpu']['driver_version'] if run['gpu'] else 'none'}, nvcc {run['nvcc']}, {run['tensors']}; from {', '.join(run['files'])}. " + ceilings(run)]
    if run.get("dry_run"):
        parts.append("**Dry run on the emulated device: the times mean nothing.**\n")
    parts += [f"![{name.removesuffix('.svg')}]({pictures}/{name})\n" for name in drawn]
    if len(run["files"]) > 1:
        parts.append("How many times as fast ours is, is by one pass each: the one that timed the rival.\n")
    parts += [cases_table(cases, run), rivals_table(cases)]
    for heading, text in (("FlexAttention's block masks, made apart from the times above:", masks_table(cases)),
                          ("Absent:", absences(cases)), ("Left out:", "".join(f"- {t}\n" for t in run["left_out"]))):
        if text:
            parts += [heading + "\n", text]
    return "\n".join(parts), drawn


def folder_of(number):
    """Where the plots of a merged run lie, beside the page."""
    return "performance" if number == 0 else f"performance-{number + 1}"


def check_section(run):
    """How many samples passed, by what was run, and all that did not."""
    counts, bad = {}, []
    for name, sample in run["samples"].items():
        tools = {f"{tool}, {kind}": r for tool, kinds in sample["sanitizer"].items() for kind, r in kinds.items()}
        for what, record in {**sample["results"], **tools}.items():
            verdict = record["verdict"]
            counts.setdefault(what, {}).setdefault(verdict, []).append(name)
            if verdict not in ("pass", "skipped"):
                bad.append(f"- {name}, {what}: {verdict}" + (f": {record['why']}" if record.get("why") else ""))
    bad += [f"- {name}: failed before it ran" for name in run.get("failed_before", {})]
    rows = [[what, ", ".join(f"{len(names)} {verdict}" for verdict, names in verdicts.items())] for what, verdicts in counts.items()]
    head = f"### Samples checked, {run['device']}, {run['date'][:10]}, commit {run['commit'][:12]}\n"
    return "\n".join([head, table(["what was run", "samples"], rows), *(["Not passed:\n", "\n".join(bad) + "\n"] if bad else [])])


def readme_block(runs):
    """The README's part: a line a variant of the last run that timed."""
    timed = merge([r for r in runs if r["kind"] == "bench"])
    if not timed:
        return README_NOTHING
    run, rows = timed[-1], []
    last = {case["variant"]: case for case in run["cases"].values()}
    for case in last.values():
        mine, rival = ours(case), best_rival(case)
        if mine and "ms" in mine and mine["correct"]:
            rows.append([case["title"], case["size"]["label"], cell(mine), f"{rival['name']}: {cell(rival)}" if rival else "none",
                         times_as_fast(mine, rival)])
    head = f"Forward on {run['device']}, {run['date'][:10]}, commit {run['commit'][:12]}; docs/performance.md has all sizes and rivals.\n"
    picture = f"![TFLOP/s by program](docs/{folder_of(len(timed) - 1)}/variants.svg)\n"
    return "\n".join([head, picture, table(["program", "size", "time, TFLOP/s", "fastest of PyTorch's", "times as fast"], rows)])


def facts_section(run):
    rows = [[f["fact"], f["verdict"], f["observed"].replace("|", "/")] for f in run["facts"]]
    return f"### Hardware facts, {run['device']}, {run['date'][:10]}\n\n" + table(["fact", "verdict", "observed"], rows)


def render(runs):
    """The generated part of the page, and the plots by path below the page's folder."""
    if not runs:
        return NOTHING, {}
    parts, files = [], {}
    for k, run in enumerate(merge([r for r in runs if r["kind"] == "bench"])):
        folder = folder_of(k)
        text, drawn = section(run, folder)
        parts.append(text)
        files.update({f"{folder}/{name}": picture for name, picture in drawn.items()})
    latest = {}
    for run in runs:
        if run["kind"] in SECTIONS and not run.get("compiled_only"):
            latest[run["kind"], run["device"]] = run
    return "\n".join(parts + [SECTIONS[kind](r) for (kind, _), r in sorted(latest.items())]), files


SECTIONS = {"check": check_section, "facts": facts_section}


def replace_block(page, block):
    head, begin, rest = page.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not begin or not end:
        raise SystemExit(f"a page lacks the lines {BEGIN} and {END}")
    return f"{head}{BEGIN}\n{block}{END}{tail}"


def main(argv, root):
    parser = argparse.ArgumentParser(prog="gpu-report", description="Writes the tables and plots of docs/performance.md, and the README's "
                                     "table, from the runs recorded in bench/results.")
    parser.add_argument("--results", type=pathlib.Path, default=root / "bench/results")
    parser.add_argument("--page", type=pathlib.Path, default=root / "docs/performance.md")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 where the page is not up to date")
    options = parser.parse_args(argv)
    runs = load(options.results)
    block, files = render(runs)
    readme = root / "README.md"
    wanted = {readme: replace_block(readme.read_text(), readme_block(runs)), options.page: replace_block(options.page.read_text(), block), **{options.page.parent / n: t for n, t in files.items()}}
    stale = [p for p, text in wanted.items() if not p.exists() or p.read_text() != text]
    for path in stale:
        if options.check:
            print(f"{path} is not what bench/results says: run scripts/gpu-report")
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(wanted[path])
            print(f"wrote {path}")
    return 1 if options.check and stale else 0
