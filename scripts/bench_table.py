#!/usr/bin/env python3
"""Prints Google Benchmark's JSON as tables: ours beside the others.

    bench_table.py build/bench.json

Benchmarks are named Family/<variant>/<parameter>/...; variants whose name starts with "ours" are ours, the others are
what we compare with. Each table is one family, each row one set of parameters. Numbers are medians over repetitions, in
ns per item (items are frames, unless the benchmark says otherwise), or ns per call where a benchmark counts no items;
"x ours" is the best of the others divided by ours: above 1, ours is faster. A ~ marks a spread (standard deviation over
mean of the repetitions) above 5 %. Further counters of a benchmark follow in tables of their own. Where the family Peak
was run too, GFLOP/s are given as percentages of the core's peak.
"""

import json
import re
import statistics
import sys
from collections import defaultdict

# What Google Benchmark itself appends to names and writes into each result.
SUFFIX = re.compile(r"(repeats|iterations|min_time|min_warmup_time|threads):[\d.]+s?|real_time|process_time|manual_time")
NOT_COUNTERS = {
    "name", "family_index", "per_family_instance_index", "run_name", "run_type", "repetitions", "repetition_index",
    "threads", "iterations", "real_time", "cpu_time", "time_unit", "label", "aggregate_name", "aggregate_unit",
    "items_per_second", "bytes_per_second", "error_occurred", "error_message", "big_o", "rms",
}  # fmt: skip
NS_PER_UNIT = {"ns": 1.0, "us": 1e3, "ms": 1e6, "s": 1e9}
SPREAD_LIMIT = 0.05


def ns_per_item(entry):
    rate = entry.get("items_per_second")
    if rate:
        return 1e9 / rate
    time = entry["real_time" if "/real_time" in entry["run_name"] else "cpu_time"]
    return time * NS_PER_UNIT[entry.get("time_unit", "ns")]


def split_name(run_name):
    parts = [part for part in run_name.split("/") if not SUFFIX.fullmatch(part)]
    family, variant = parts[0], parts[1] if len(parts) > 1 else "ours"
    return family, variant, tuple(parts[2:])


def read(results):
    """family -> parameters -> variant -> {"ns": ..., "spread": ..., "error": ..., "counters": {...}}"""
    runs = defaultdict(list)
    medians = {}
    for entry in results["benchmarks"]:
        name = entry.get("run_name", entry["name"])
        if entry.get("run_type") == "aggregate":
            if entry["aggregate_name"] == "median":
                medians[name] = entry
            runs.setdefault(name, [])
        else:
            runs[name].append(entry)

    families = {}
    for name, entries in runs.items():
        family, variant, parameters = split_name(name)
        result = {"ns": None, "spread": 0.0, "error": None, "counters": {}}
        errors = [entry["error_message"] for entry in entries if entry.get("error_occurred")]
        if errors:
            result["error"] = errors[0]
        else:
            sources = [medians[name]] if name in medians else entries
            result["ns"] = statistics.median(ns_per_item(entry) for entry in sources)
            if len(entries) > 1:
                each = [ns_per_item(entry) for entry in entries]
                result["spread"] = statistics.stdev(each) / statistics.mean(each)
            for key in sources[0]:
                if key not in NOT_COUNTERS and isinstance(sources[0][key], (int, float)):
                    result["counters"][key] = statistics.median(entry[key] for entry in sources)
        families.setdefault(family, {}).setdefault(parameters, {})[variant] = result
    return families


def sort_key(parameters):
    numbers = [re.sub(r"^[^:]*:", "", part) for part in parameters]
    return [(0, float(n), "") if re.fullmatch(r"-?\d+(\.\d+)?", n) else (1, 0.0, n) for n in numbers]


def number(value):
    return f"{value:.4g}" if abs(value) < 1000 else f"{value:.0f}"


def print_table(header, rows):
    widths = [max(len(row[i]) for row in [header, *rows]) for i in range(len(header))]
    for row in [header, ["-" * width for width in widths], *rows]:
        print("  ".join([row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:]))]).rstrip())
    print()


def peak_gflops(families):
    """The best of what the family Peak reached, or None."""
    results = [result for by_variant in families.get("Peak", {}).values() for result in by_variant.values()]
    return max((result["counters"].get("GFLOP/s", 0) for result in results), default=0) or None


def print_family(family, rows, peak):
    variants = []
    for by_variant in rows.values():
        variants += [variant for variant in by_variant if variant not in variants]
    ours = [variant for variant in variants if variant.startswith("ours")]
    others = [variant for variant in variants if not variant.startswith("ours")]
    compared = ours if others else []

    table, errors = [], []
    for parameters in sorted(rows, key=sort_key):
        by_variant = rows[parameters]
        cells = ["/".join(parameters) or "-"]
        for variant in ours + others:
            result = by_variant.get(variant)
            if result is None:
                cells.append("")
            elif result["error"] is not None:
                cells.append("error")
                errors.append(f"{family}/{variant}/{'/'.join(parameters)}: {result['error']}")
            else:
                cells.append(("~" if result["spread"] > SPREAD_LIMIT else "") + number(result["ns"]))
        times = {variant: result["ns"] for variant, result in by_variant.items() if result["ns"] is not None}
        best = min((times[variant] for variant in others if variant in times), default=None)
        for variant in compared:
            cells.append(f"{best / times[variant]:.2f}" if best is not None and variant in times else "")
        table.append(cells)
    if family != "Peak":
        print(f"{family}: ns per item; x: best of the others / ours" if compared else f"{family}: ns per item")
        print_table(["", *ours, *others, *(f"x {variant}" for variant in compared)], table)

    counters = []
    for by_variant in rows.values():
        for result in by_variant.values():
            counters += [counter for counter in result["counters"] if counter not in counters]
    for counter in counters:
        percent = counter == "GFLOP/s" and peak is not None and family != "Peak"
        having = [v for v in ours + others if any(counter in row[v]["counters"] for row in rows.values() if v in row)]
        table = []
        for parameters in sorted(rows, key=sort_key):
            values = [rows[parameters].get(v, {"counters": {}})["counters"].get(counter) for v in having]
            if all(value is None for value in values):
                continue
            values = [100 * value / peak if percent and value is not None else value for value in values]
            cells = ["" if value is None else f"{value:.0f}" if percent else number(value) for value in values]
            table.append(["/".join(parameters) or "-", *cells])
        print(f"{family}: % of the peak of {number(peak)} GFLOP/s" if percent else f"{family}: {counter}")
        print_table(["", *having], table)
    return errors


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    with open(sys.argv[1], encoding="utf-8") as file:
        results = json.load(file)

    context = results["context"]
    for key in ("cpu", "num_cpus", "mhz_per_cpu", "compiler", "flags", "simd", "eigen", "date", "load_avg"):
        if key in context:
            print(f"{key:12} {context[key]}")
    for cache in context.get("caches", []):
        print(f"{'cache':12} L{cache['level']} {cache['type']} {cache['size'] // 1024} KiB")
    if context.get("library_build_type") == "debug":
        print("note         the benchmark library is a debug build")
    print()

    families = read(results)
    if not families:
        sys.exit("no results")
    errors = []
    peak = peak_gflops(families)
    for family, rows in families.items():
        errors += print_family(family, rows, peak)
    for error in errors:
        print(f"error: {error}", file=sys.stderr)
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
