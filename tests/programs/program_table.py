"""The table docs/programs.md from the results of run_programs.py."""

HEAD = """# Real programs

Programs of Debian 12 in a root file system, natively and in the engine. Made by

```
%s
```

- *equal*: stdout, stderr and exit status are the same natively and in the box (for test suites, whose output has times in it: the exit status).
- *twice*, *load*: a second run in the box, and one on a busy machine (beside a busy process per CPU), have the same output, count of
  instructions and trace hash. Of rows that take more than a second the second run is the one on the busy machine.
- *chaos*: with so many seeds of the scheduler that draws turns, the output is still the native one (programs of several tasks).
- Seconds are processor time of all processes of the program, in the box that of the whole engine with its start; the lesser of two
  runs (natively where one takes less than two seconds). *times qemu*: against qemu-user 7.2, which runs every process of the program, too.
  *fails*: qemu-user does not get to the native output. A dash: not measured, or natively too short to divide by.

| program | what it does | equal | exit | twice | load | chaos | instructions | native s | box s | times native | times qemu |
|---|---|---|---|---|---|---|---|---|---|---|---|
"""
COMMAND = "tests/programs/run_programs.py build/dev/bin/boxrun --jobs 1 --load --qemu --chaos 20 --results build/programs.json --table docs/programs.md"
SHORTEST_S = 0.01
SAME = ("output", "icount", "trace_hash")  # of all runs in the box


def ratio(box, other):
    return f"{box / other:.1f}" if other is not None and other >= SHORTEST_S else "-"


def yes(right):
    return "yes" if right else "**no**"


def box_seconds(result):
    return min(result[name]["seconds"] for name in ("box", "again") if name in result)


def says(result, *words):
    return any(text.startswith(words) for text in result["wrong"])


def line(name, result):
    """What run_programs.py says of a row where all is right."""
    parts = [part for part in ("again", "load", "qemu") if part in result] + ([f"{result['chaos']} seeds"] if "chaos" in result else [])
    return f"{name}: equal, {result['box']['icount']:,} instructions, {box_seconds(result):.1f} s" + "".join(f", {part}" for part in parts)


def by_qemu(result):
    if "qemu" not in result:
        return "-"
    return ratio(box_seconds(result), result["qemu"]["seconds"]) if result["qemu"]["right"] else "fails"


def as_first(result, name):
    return yes(all(result["box"][field] == result[name][field] for field in SAME)) if name in result else "-"


def row(case, result):
    box, native = {**result["box"], "seconds": box_seconds(result)}, result.get("native", {})
    seconds = native.get("seconds")
    cells = [case.program, case.name.partition(": ")[2] or case.name, yes(not says(result, "in the box", "natively")), box["status"],
             as_first(result, "again"), as_first(result, "load"),
             (str(result["chaos"]) if not says(result, "chaos") else "**no**") if "chaos" in result else "-",
             f"{box['icount']:,}" if box["icount"] else "-", f"{seconds:.2f}" if seconds is not None else "-", f"{box['seconds']:.2f}",
             ratio(box["seconds"], seconds), by_qemu(result)]
    return f"| {' | '.join(str(cell) for cell in cells)} |"


def table(cases, results):
    ran = [case for case in cases if "box" in results.get(case.name, {})]
    good = sum(not results[case.name]["wrong"] for case in ran)
    text = HEAD % COMMAND + "".join(row(case, results[case.name]) + "\n" for case in ran)
    text += f"\n{good} of {len(ran)} are equal and repeatable.\n"
    others = [case.name for case in cases if case not in ran]
    if others:
        text += "\nNot run when this table was made:\n\n" + "".join(f"- {name}\n" for name in others)
    return text
