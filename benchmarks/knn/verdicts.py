"""What was promised, what was measured, and what this machine cannot tell."""

from typing import NamedTuple

from benchmarks.knn.engines import FAISS, FLOAT32, OURS, SKLEARN
from benchmarks.knn.memory import ALLOWED

MET, MISSED, UNKNOWN = "met", "not met", "not testable here"
AT_LEAST = {
    SKLEARN: (OURS, (8.0, 7.0, 3.0)),
    FAISS: (OURS, (3.5, 3.5, 1.6)),
}
"""Times as fast as a peer on a CPU with AMX, by width: the widest first."""
AT_LEAST_FLOAT32 = {FAISS: 1.0, SKLEARN: 2.2}
SHARE_OF_PRODUCTS = {True: 0.5, False: 1.3}
LEAVE_ONE_OUT_SECONDS = 240
TIMES_PEAK = 4.0


class Row(NamedTuple):
    """One promise."""

    work: str
    against: str
    promise: str
    measured: str
    verdict: str
    why: str = ""


def rows(results: dict) -> list[Row]:
    """One row a promise, in the order of the table in the documentation."""
    has_amx = results["machine"]["features"]["AMX"]
    found = []
    if "speed" in results:
        found += _against_peers(results["speed"], has_amx)
    if "study" in results:
        found += _whole_study(results["study"], has_amx)
    if "gpu" in results:
        found.append(_on_gpu(results["gpu"]))
    if "memory" in results:
        found += _memory(results["memory"])
    if "study" in results:
        found.append(_exactness(results["study"]))
    return found


def _against_peers(speed: list[dict], has_amx: bool) -> list[Row]:
    found = []
    ranked = [arrays for arrays in speed if arrays["data"] == "activations"]
    for peer, (engine, promises) in AT_LEAST.items():
        for arrays, promise in zip(ranked, promises, strict=True):
            row = _ratio(arrays, engine, peer, promise)
            found.append(row if has_amx else _without_amx(row))
    for peer, promise in AT_LEAST_FLOAT32.items():
        found += [_ratio(arrays, FLOAT32, peer, promise) for arrays in speed]
    return found


def _ratio(arrays: dict, engine: str, peer: str, promise: float) -> Row:
    work = f"{arrays['queries']:,} × {arrays['references']:,}, {arrays['dims']:,} dims"
    work += ", Gaussian" if arrays["data"] != "activations" else ""
    work += ", float32" if engine == FLOAT32 else ""
    against, least = peer, f"{promise:g} × as fast"
    if not arrays["seconds"].get(peer):
        return Row(work, against, least, "—", UNKNOWN, f"because {peer} is not installed")
    seconds = {name: min(arrays["seconds"][name]) for name in (engine, peer)}
    ratio = seconds[peer] / seconds[engine]
    measured = f"{ratio:.2f} × ({seconds[engine]:.2f} s, {seconds[peer]:.2f} s)"
    return Row(work, against, least, measured, MET if ratio >= promise else MISSED)


def _without_amx(row: Row) -> Row:
    why = row.why or "because this CPU has no AMX"
    return row._replace(verdict=UNKNOWN, why=why)


def _whole_study(study: dict, has_amx: bool) -> list[Row]:
    probes = study["probes"].values()
    total = {
        name: sum(probe[name] for probe in probes)
        for name in ("seconds", "seconds float32", "seconds of float32 products")
    }
    alone = total["seconds of float32 products"]
    work, against = f"{len(probes)} probes, Parquet to votes", "float32 products alone"
    shares = {}
    for amx, most in SHARE_OF_PRODUCTS.items():
        seconds = total["seconds"]
        measured = f"{seconds / alone:.2f} × ({seconds:.0f} s, {alone:.0f} s)"
        verdict = MET if seconds <= most * alone else MISSED
        promise = f"≤ {most:g} × their time {'with' if amx else 'without'} AMX"
        row = Row(work, against, promise, measured, verdict)
        why = f"because this CPU has {'no ' if amx else ''}AMX"
        shares[amx] = row if amx == has_amx else row._replace(verdict=UNKNOWN, why=why)
    seconds = total["seconds float32"]
    float32 = Row(
        f"{work}, float32", against, f"≤ {SHARE_OF_PRODUCTS[False]:g} × their time",
        f"{seconds / alone:.2f} × ({seconds:.0f} s, {alone:.0f} s)",
        MET if seconds <= SHARE_OF_PRODUCTS[False] * alone else MISSED,
    )  # fmt: skip
    # The test queries are in it as well: less than leave-one-out alone need not be measured.
    seconds = total["seconds"]
    verdict = MET if seconds <= LEAVE_ONE_OUT_SECONDS else MISSED
    leave_one_out = Row(
        f"leave-one-out and test queries, {len(probes)} probes", "—",
        f"≤ {LEAVE_ONE_OUT_SECONDS / 60:g} min", f"{seconds / 60:.1f} min", verdict,
    )  # fmt: skip
    return [
        shares[True],
        shares[False],
        float32,
        leave_one_out if has_amx else _without_amx(leave_one_out),
    ]


def _on_gpu(gpu: dict) -> Row:
    promise = Row(
        "leave-one-out on a GPU", "bfloat16 products at peak", f"≤ {TIMES_PEAK:g} × their time",
        "—", UNKNOWN, "because there is no GPU",
    )  # fmt: skip
    if not gpu:
        return promise
    seconds, alone = (
        sum(probe[name] for probe in gpu["probes"].values())
        for name in ("seconds", "seconds of bfloat16 products")
    )
    verdict = MET if seconds <= TIMES_PEAK * alone else MISSED
    measured = f"{seconds / alone:.2f} × ({seconds:.2f} s, {alone:.2f} s; {gpu['device']})"
    return promise._replace(measured=measured, verdict=verdict, why="")


def _memory(memory: dict) -> list[Row]:
    found = []
    generated = memory["generated"]
    of = {
        "generated": f"memory, {generated['queries']:,} × {generated['rows']:,}, "
        f"{generated['dims']:,} dims, generated",
        "stage": f"memory, both splits of {memory['stage']['probe']}",
    }
    for name, work in of.items():
        peak, limit = memory[name]["peak"], memory[name]["limit"]
        promise = f"≤ {(limit + ALLOWED) / 1e9:g} GB"
        measured = f"{peak / 1e9:.2f} GB, {memory[name]['seconds']:.0f} s"
        verdict = MET if peak <= limit + ALLOWED else MISSED
        found.append(Row(work, f"the limit of {limit / 1e9:g} GB", promise, measured, verdict))
    return found


def _exactness(study: dict) -> Row:
    checks = [split for probe in study["probes"].values() for split in probe["exactness"].values()]
    count = {name: sum(split[name] for split in checks) for name in checks[0]}
    return Row(
        "neighbours",
        "brute force in float64",
        "identical but for ties in float32",
        f"of {count['queries']:,} queries, ties: {count['ties']}, wrong: {count['wrong']}",
        MISSED if count["wrong"] else MET,
    )
