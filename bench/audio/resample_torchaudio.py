#!/usr/bin/env python3
"""Times torchaudio's resampling, one thread, for comparison with the benchmarks Resample/...

    taskset --cpu-list 1 python3 bench/audio/resample_torchaudio.py

Nanoseconds per input sample and channel. torchaudio has no streaming resampler: each block of 512 frames is taken for a
whole signal, so what comes out has errors at every edge. `functional` makes its kernel anew in every call,
`transform` keeps it; `whole` is one call on ten seconds. Exits with 77 where torchaudio is missing.
"""

import sys
import time

try:
    import torch
    import torchaudio
except ImportError as error:
    print(f"resample_torchaudio.py: {error}", file=sys.stderr)
    sys.exit(77)


def best_ns(call, samples, seconds=1.0):
    call()
    best, end = float("inf"), time.perf_counter() + seconds
    while time.perf_counter() < end:
        repeat = max(1, int(2e4 / samples))
        start = time.perf_counter_ns()
        for _ in range(repeat):
            call()
        best = min(best, (time.perf_counter_ns() - start) / repeat / samples)
    return best


def main():
    torch.set_num_threads(1)
    torch.manual_seed(0)
    print(f"torch {torch.__version__}, torchaudio {torchaudio.__version__}, one thread; ns per input sample and channel")
    print(f"{'':28} {'functional':>10} {'transform':>10} {'whole':>8}")
    for source, target in ((48000, 16000), (44100, 48000)):
        transform = torchaudio.transforms.Resample(source, target)
        for channels in (1, 2):
            block, whole = torch.rand(channels, 512) - 0.5, torch.rand(channels, 10 * source) - 0.5
            with torch.inference_mode():
                row = [
                    best_ns(lambda: torchaudio.functional.resample(block, source, target), block.numel()),
                    best_ns(lambda: transform(block), block.numel()),
                    best_ns(lambda: transform(whole), whole.numel()),
                ]
            name = f"{source}to{target}/channels:{channels}"
            print(f"{name:28} {row[0]:10.1f} {row[1]:10.1f} {row[2]:8.2f}")


if __name__ == "__main__":
    main()
