#!/usr/bin/env python3
"""Makes nam.json and rtneural.json: small files of each format with every option, and what they give, in double.

    make_golden.py            write them
    make_golden.py --check    compare with what is there

What a file means is written here once more, layer by layer over whole signals, with PyTorch's convolutions and nothing else of
it. Weights are random and rounded, so that the files stay small.
"""

import json
import math
import random
import sys
from pathlib import Path

import torch
import torch.nn.functional as F

HERE = Path(__file__).resolve().parent
FRAMES = 24
torch.set_default_dtype(torch.float64)
torch.set_num_threads(1)


def uniform(numbers, n, scale=0.5):
    return [round(numbers.uniform(-scale, scale), 3) for _ in range(n)]


def fast_tanh(x):
    s = x.abs()
    above = x * (2.45550750702956 + 2.45550750702956 * s + (0.893229853513558 + 0.821226666969744 * s) * x * x)
    return above / (2.44506634652299 + (2.44506634652299 + x * x) * (x + 0.814642734961073 * x * s).abs())


def leaky_hardtanh(x, low=-1.0, high=1.0, low_slope=0.01, high_slope=0.01):
    x = torch.where(x > high, high + high_slope * (x - high), x)
    return torch.where(x < low, low + low_slope * (x - low), x)


def activation(spec, x, fast=False):
    """x: (channels, frames)"""
    spec = {"type": spec} if isinstance(spec, str) else spec
    kind = spec["type"]
    if kind in ("Tanh", "Fasttanh"):
        return fast_tanh(x) if fast or kind == "Fasttanh" else x.tanh()
    if kind == "LeakyReLU" or (kind == "PReLU" and "negative_slopes" not in spec):
        return torch.where(x > 0, x, spec.get("negative_slope", 0.01) * x)
    if kind == "PReLU":
        return torch.where(x > 0, x, torch.tensor(spec["negative_slopes"])[:, None] * x)
    if kind in ("LeakyHardtanh", "LeakyHardTanh"):
        return leaky_hardtanh(x, spec.get("min_val", -1.0), spec.get("max_val", 1.0), spec.get("min_slope", 0.01), spec.get("max_slope", 0.01))
    return {"Hardtanh": lambda v: v.clamp(-1, 1), "ReLU": torch.relu, "Sigmoid": torch.sigmoid, "SiLU": F.silu, "Hardswish": F.hardswish,
            "Softsign": F.softsign}[kind](x)


class Weights:
    """The flat list of a .nam file. While it is empty, it makes random ones as they are asked for."""

    def __init__(self, numbers, scale=0.5):
        self.numbers, self.scale, self.made = numbers, scale, []

    def take(self, *shape):
        values = uniform(self.numbers, math.prod(shape), self.scale)
        self.made += values
        return torch.tensor(values).reshape(shape)


def causal(x, weight, bias=None, dilation=1, groups=1):
    return F.conv1d(F.pad(x, ((weight.shape[2] - 1) * dilation, 0))[None], weight, bias, dilation=dilation, groups=groups)[0]


FILMS = ["conv_pre_film", "conv_post_film", "input_mixin_pre_film", "input_mixin_post_film", "activation_pre_film", "activation_post_film",
         "layer1x1_post_film", "head1x1_post_film"]


def each(setting, k):
    return setting[k] if isinstance(setting, list) else setting


def wavenet(config, w, numbers, fast):
    """A function of x (channels, frames), and how many frames of silence come first."""
    frames = 1
    condition = lambda x: x
    if config.get("condition_dsp"):
        condition, frames = architecture(config["condition_dsp"], numbers, fast)
    steps = []
    for stack in config["layers"]:
        C, size = stack["channels"], stack["condition_size"]
        B = stack.get("bottleneck") or C
        rechannel = w.take(C, stack["input_size"], 1)
        layers = []
        for k, dilation in enumerate(stack["dilations"]):
            taps = stack["kernel_sizes"][k] if "kernel_sizes" in stack else stack["kernel_size"]
            mode = each(stack.get("gating_mode", "gated" if stack.get("gated") else "none"), k)
            M = B if mode == "none" else 2 * B
            skip, one = stack.get("head1x1", {"active": False}), stack.get("layer1x1", {"active": True})
            g, gm = stack.get("groups_input", 1), stack.get("groups_input_mixin", 1)
            own = {"mode": mode, "B": B, "dilation": dilation, "groups": (g, gm, one.get("groups", 1), skip.get("groups", 1)),
                   "act": each(stack["activation"], k), "second": each(stack.get("secondary_activation"), k) or "Sigmoid"}
            own["conv"] = (w.take(M, C // g, taps), w.take(M))
            own["mixin"] = w.take(M, size // gm, 1)
            own["one"] = (w.take(C, B // one.get("groups", 1), 1), w.take(C)) if one["active"] else None
            own["skip"] = (w.take(skip["out_channels"], B // skip.get("groups", 1), 1), w.take(skip["out_channels"])) if skip["active"] else None
            for name, d in zip(FILMS, [C, M, size, M, M, B, C, skip.get("out_channels") if skip["active"] else B]):
                film = stack.get(name) or {"active": False}
                if film.get("active", True):
                    out = (2 if film.get("shift", True) else 1) * d
                    own[name] = (w.take(out, size // film.get("groups", 1), 1), w.take(out), film.get("groups", 1), d)
            layers.append(own)
            frames += (taps - 1) * dilation
        head = stack.get("head") or {"out_channels": stack["head_size"], "kernel_size": 1, "bias": stack["head_bias"]}
        width = stack["head1x1"]["out_channels"] if stack.get("head1x1", {}).get("active") else B
        frames += (head["kernel_size"] - 1) * head.get("head_dilation", 1)
        steps.append((rechannel, layers, w.take(head["out_channels"], width, head["kernel_size"]),
                      w.take(head["out_channels"]) if head["bias"] else None, head.get("head_dilation", 1)))
    post = []
    if config.get("head"):
        h, before = config["head"], steps[-1][2].shape[0]
        for k, taps in enumerate(h["kernel_sizes"]):
            out = h["out_channels"] if k + 1 == len(h["kernel_sizes"]) else h["channels"]
            post.append((w.take(out, before, taps), w.take(out)))
            before = out
            frames += taps - 1
    scale = w.take(1)

    def film(own, name, v, c):
        if name not in own:
            return v
        weight, bias, groups, d = own[name]
        both = F.conv1d(c[None], weight, bias, groups=groups)[0]
        return v * both[:d] + (both[d:] if both.shape[0] > d else 0)

    def run(x):
        c, y, H = condition(x), x, None
        for rechannel, layers, head, head_bias, head_dilation in steps:
            y = causal(y, rechannel)
            for own in layers:
                g, gm, g1, gs = own["groups"]
                z = film(own, "conv_post_film", causal(film(own, "conv_pre_film", y, c), *own["conv"], own["dilation"], g), c)
                m = film(own, "input_mixin_post_film", causal(film(own, "input_mixin_pre_film", c, c), own["mixin"], groups=gm), c)
                z = film(own, "activation_pre_film", z + m, c)
                B = own["B"]
                if own["mode"] == "none":
                    z = activation(own["act"], z, fast)
                else:
                    bent, gate = activation(own["act"], z[:B], fast), activation(own["second"], z[B:], fast)
                    z = bent * gate if own["mode"] == "gated" else gate * bent + (1 - gate) * z[:B]
                z = film(own, "activation_post_film", z, c)
                s = film(own, "head1x1_post_film", causal(z, *own["skip"], groups=gs) if own["skip"] else z, c)
                H = s if H is None else H + s
                if own["one"]:
                    step = causal(z, *own["one"], groups=g1)
                    y = y + (film(own, "layer1x1_post_film", step, c) if own["mode"] == "blended" else step)
            H = causal(H, head, head_bias, head_dilation)
        H = scale * H
        for weight, bias in post:
            H = causal(activation(config["head"]["activation"], H, fast), weight, bias)
        return H

    return run, frames


def lstm(config, w, sample_rate, fast):
    H, size = config["hidden_size"], config["input_size"]
    layers = []
    for _ in range(config["num_layers"]):
        layers.append((w.take(4 * H, size + H), w.take(4 * H), w.take(H), w.take(H)))
        size = H
    head, bias = w.take(config.get("out_channels", 1), H), w.take(config.get("out_channels", 1))

    def run(x):
        for weight, offset, h, c in layers:
            outputs = []
            for frame in x.unbind(1):
                i, f, g, o = (weight @ torch.cat([frame, h]) + offset).chunk(4)
                i, f, o = ((fast_tanh(gate / 2) + 1) / 2 if fast else gate.sigmoid() for gate in (i, f, o))
                c = f * c + i * activation("Tanh", g, fast)
                h = o * activation("Tanh", c, fast)
                outputs.append(h)
            x = torch.stack(outputs, 1)
        return head @ x + bias[:, None]

    return run, max(1, int(0.5 * sample_rate))


def convnet(config, w, fast):
    channels, before, blocks = config["channels"], config.get("in_channels", 1), []
    groups = config.get("groups", 1)
    for _ in config["dilations"]:
        weight = w.take(channels, before // groups, 2)
        if config["batchnorm"]:
            mean, variance, scale, offset = w.take(channels), w.take(channels), w.take(channels), w.take(channels)
            w.made[-3 * channels:-2 * channels] = [round(abs(v) + 0.1, 3) for v in w.made[-3 * channels:-2 * channels]]
            variance = torch.tensor(w.made[-3 * channels:-2 * channels])
            w.take(1)
            w.made[-1] = 0.001
            blocks.append((weight, None, (mean, variance, scale, offset)))
        else:
            blocks.append((weight, w.take(channels), None))
        before = channels
    head, bias = w.take(config.get("out_channels", 1), channels, 1), w.take(config.get("out_channels", 1))

    def run(x):
        for (weight, own_bias, norm), dilation in zip(blocks, config["dilations"]):
            x = causal(x, weight, own_bias, dilation, groups)
            if norm:
                mean, variance, scale, offset = (v[:, None] for v in norm)
                x = (x - mean) / (variance + 0.001).sqrt() * scale + offset
            x = activation(config["activation"], x, fast)
        return causal(x, head, bias)

    return run, 1 + sum(config["dilations"])


def linear(config, w):
    weight = w.take(config["receptive_field"])
    bias = w.take(1) if config["bias"] else None
    return (lambda x: causal(x, weight.flip(0)[None, None], bias)), 0


def architecture(file, numbers, fast):
    """Fills in the weights."""
    w, config = Weights(numbers), file["config"]
    kind = file["architecture"]
    if kind == "WaveNet":
        result = wavenet(config, w, numbers, fast)
    elif kind == "LSTM":
        result = lstm(config, w, file.get("sample_rate", 0), fast)
    elif kind == "ConvNet":
        result = convnet(config, w, fast)
    else:
        result = linear(config, w)
    file["weights"] = w.made
    return result


def nam(kind, config, **more):
    return {"version": "0.7.0", "architecture": kind, "config": config, "weights": [], **more}


def stack(**more):
    plain = {"input_size": 1, "condition_size": 1, "channels": 4, "kernel_size": 3, "dilations": [1, 4], "activation": "Tanh", "head_size": 1,
             "head_bias": True}
    for newer, older in (("kernel_sizes", ["kernel_size"]), ("head", ["head_size", "head_bias"])):
        if newer in more:
            plain = {key: value for key, value in plain.items() if key not in older}
    return {**plain, **more}


def wave(*stacks, **more):
    return nam("WaveNet", {"layers": list(stacks), "head": None, "head_scale": 0.02, **more}, sample_rate=48000)


def nam_files():
    film = {"active": True, "shift": True, "groups": 1}
    two = [stack(head_size=3, head_bias=False, gated=False), stack(input_size=4, channels=3, dilations=[2], activation="ReLU")]
    every_film = {name: {"active": True, "shift": k % 2 == 0, "groups": 1} for k, name in enumerate(FILMS)}
    return {
        "a1": wave(*two),
        "a1_gated": wave(stack(gated=True)),
        "a2": wave(stack(kernel_sizes=[6, 2], activation=[{"type": "LeakyReLU", "negative_slope": 0.01}] * 2, bottleneck=4,
                         head={"out_channels": 1, "kernel_size": 5, "bias": True}, gating_mode=["none", "none"],
                         secondary_activation=[None, None], head1x1={"active": False, "out_channels": 1, "groups": 1},
                         layer1x1={"active": True, "groups": 1}, slimmable=None,
                         **{name: {"active": False, "shift": True, "groups": 1} for name in FILMS})),
        "modes": wave(stack(dilations=[1, 2, 3], gating_mode=["gated", "blended", "none"], bottleneck=3,
                            activation=["Softsign", {"type": "PReLU", "negative_slopes": [0.1, 0.2, 0.3]}, "Hardswish"],
                            secondary_activation=["Sigmoid", {"type": "LeakyHardtanh", "min_val": 0.0, "max_val": 0.9, "min_slope": 0.0,
                                                              "max_slope": 0.02}, ""])),
        "activations": wave(stack(dilations=[1] * 9, activation=["Hardtanh", "Fasttanh", "Sigmoid", "SiLU", {"type": "Tanh"}, "LeakyReLU",
                                                                 "PReLU", "LeakyHardTanh", {"type": "PReLU", "negative_slope": 0.3}])),
        "films": wave(stack(gating_mode=["blended", "gated"], bottleneck=2, head1x1={"active": True, "out_channels": 3, "groups": 1}, **every_film),
                      stack(input_size=4, head1x1={"active": True, "out_channels": 1, "groups": 1}, activation_pre_film=film)),
        "film_groups": wave(stack(condition_size=4, channels=4, groups_input=2, groups_input_mixin=4, layer1x1={"active": True, "groups": 2},
                                  head1x1={"active": True, "out_channels": 4, "groups": 2},
                                  conv_post_film={"active": True, "shift": True, "groups": 4},
                                  activation_post_film={"active": True, "shift": False, "groups": 2}, head1x1_post_film={"groups": 2}),
                            condition_dsp=wave(stack(channels=2, head_size=4))),
        "no_layer1x1": wave(stack(layer1x1={"active": False}, channels=3)),
        "heads": wave(stack(head={"out_channels": 3, "kernel_size": 2, "bias": False, "head_dilation": 3}),
                      head={"channels": 2, "out_channels": 1, "kernel_sizes": [3, 1, 2], "activation": "ReLU"}),
        "condition_lstm": wave(stack(condition_size=2), condition_dsp=nam("LSTM", {"input_size": 1, "hidden_size": 2, "num_layers": 1,
                                                                                  "out_channels": 2}, sample_rate=100)),
        "lstm": nam("LSTM", {"input_size": 1, "hidden_size": 3, "num_layers": 1}, sample_rate=200),
        "lstm_2": nam("LSTM", {"input_size": 1, "hidden_size": 5, "num_layers": 2}),
        "convnet": nam("ConvNet", {"channels": 3, "dilations": [1, 2, 4], "batchnorm": False, "activation": "Tanh"}),
        "convnet_norm": nam("ConvNet", {"channels": 4, "dilations": [1, 2], "batchnorm": True, "activation": {"type": "ReLU"}}),
        "linear": nam("Linear", {"receptive_field": 7, "bias": True, "implementation": "auto"}),
    }


def nam_cases():
    cases = []
    for name, file in nam_files().items():
        for fast in (False, True):
            if fast and name not in ("a1", "lstm", "lstm_2", "condition_lstm", "convnet"):
                continue
            numbers = random.Random(name)
            run, silence = architecture(file, numbers, fast)
            x = torch.tensor(uniform(numbers, FRAMES, 1.0))[None]
            y = run(F.pad(x, (silence, 0)))[:, silence:]
            cases.append({"name": name + ("_fast" if fast else ""), "fast_tanh": fast, "file": json.loads(json.dumps(file)),
                          "x": x[0].tolist(), "y": [float(f"{v:.9g}") for v in y[0].tolist()]})
    return cases


# --- RTNeural, AIDA-X, GuitarML -----------------------------------------------------------------------------------------


def nested(numbers, *shape, scale=0.5):
    if len(shape) == 1:
        return uniform(numbers, shape[0], scale)
    return [nested(numbers, *shape[1:], scale=scale) for _ in range(shape[0])]


def recurrence(kind, weights, x, fast=False):
    """Keras' weights; x (channels, frames)"""
    W, U, bias = (torch.tensor(each) for each in weights)
    H = U.shape[0]
    h, c, outputs = torch.zeros(H), torch.zeros(H), []
    for frame in x.unbind(1):
        if kind == "gru":
            z, r, n = (frame @ W + bias[0]).chunk(3)
            uz, ur, un = (h @ U + bias[1]).chunk(3)
            z, r = (z + uz).sigmoid(), (r + ur).sigmoid()
            h = z * h + (1 - z) * (n + r * un).tanh()
        else:
            i, f, g, o = (frame @ W + h @ U + bias).chunk(4)
            i, f, o = ((fast_tanh(gate / 2) + 1) / 2 if fast else gate.sigmoid() for gate in (i, f, o))
            c = f * c + i * activation("Tanh", g, fast)
            h = o * activation("Tanh", c, fast)
        outputs.append(h)
    return torch.stack(outputs, 1)


def keras(layers, x, fast=False):
    for layer in layers:
        kind, weights = layer["type"], layer["weights"]
        if kind in ("dense", "time-distributed-dense"):
            x = torch.tensor(weights[0]).T @ x + (torch.tensor(weights[1])[:, None] if len(weights) > 1 else 0)
        elif kind == "conv1d":
            last = lambda v: v[-1] if isinstance(v, list) else v
            x = causal(x, torch.tensor(weights[0]).permute(2, 1, 0), torch.tensor(weights[1]), last(layer["dilation"]), layer.get("groups", 1))
        elif kind == "conv2d":
            # (features * filters, frames) -> (filters, frames, features)
            picture = x.reshape(layer["num_features_in"], layer["num_filters_in"], -1).permute(1, 2, 0)
            weight = torch.tensor(weights[0]).permute(3, 2, 0, 1)
            taps, width, stride, n = weight.shape[2], weight.shape[3], layer["strides"], layer["num_features_in"]
            both = max(0, (-(-n // stride) - 1) * stride + width - n) if layer["padding"] == "same" else 0
            picture = F.pad(picture, (both // 2, both - both // 2, (taps - 1) * layer["dilation"], 0))
            picture = F.conv2d(picture[None], weight, torch.tensor(weights[1]), stride=(1, stride), dilation=(layer["dilation"], 1))[0]
            x = picture.permute(2, 0, 1).reshape(-1, picture.shape[1])
        elif kind in ("gru", "lstm"):
            x = recurrence(kind, weights, x, fast)
            continue
        elif kind == "prelu":
            slopes = torch.tensor(weights[0]).reshape(-1)
            x = torch.where(x > 0, x, slopes[:, None] * x)
        elif kind.startswith("batchnorm"):
            gamma, beta, mean, variance = ([torch.ones(1), torch.zeros(1)] if len(weights) == 2 else []) + [torch.tensor(v) for v in weights]
            features = x.shape[0] // mean.shape[0]
            gamma, beta, mean, variance = (v.repeat(features)[:, None] if v.shape[0] > 1 else v[:, None] for v in (gamma, beta, mean, variance))
            x = (x - mean) / (variance + layer["epsilon"]).sqrt() * gamma + beta
        name = layer.get("activation", "")
        x = {"": lambda v: v, "tanh": lambda v: activation("Tanh", v, fast), "relu": torch.relu, "sigmoid": torch.sigmoid,
             "softmax": lambda v: v.softmax(0), "elu": F.elu}[name](x)
    return x


def rtneural_files(numbers):
    def layer(kind, out, weights, activation="", **more):
        return {"type": kind, "activation": activation, "shape": [None, None, out], "weights": weights, **more}

    def dense(i, o, activation=""):
        return layer("dense", o, [nested(numbers, i, o), uniform(numbers, o)], activation)

    def gru(i, h):
        return layer("gru", h, [nested(numbers, i, 3 * h), nested(numbers, h, 3 * h), nested(numbers, 2, 3 * h)], "tanh")

    def lstm(i, h):
        return layer("lstm", h, [nested(numbers, i, 4 * h), nested(numbers, h, 4 * h), uniform(numbers, 4 * h)], "")

    def model(i, *layers, **more):
        return {"in_shape": [None, None, i], "layers": list(layers), **more}

    positive = lambda n: [round(abs(v) + 0.1, 3) for v in uniform(numbers, n)]
    picture = lambda i, o, n, k, w, d, s, padding, out: {
        "type": "conv2d", "activation": "relu", "shape": [None, None, out, o], "kernel_size_time": k, "kernel_size_feature": w, "dilation": d,
        "strides": s, "num_filters_in": i, "num_features_in": n, "num_filters_out": o, "padding": padding,
        "weights": [nested(numbers, k, w, i, o), uniform(numbers, o)]}
    norm = lambda f, n, w: {"type": "batchnorm2d", "activation": "", "shape": [None, None, n, f], "epsilon": 0.5, "num_filters_in": f,
                            "num_features_in": n, "weights": w}
    return {
        "dense": model(2, {"type": "unknown", "weights": [], "shape": [None, None, 2]}, dense(2, 3, "tanh"),
                       layer("time-distributed-dense", 4, [nested(numbers, 3, 4)], "softmax"),
                       layer("prelu", 4, [[uniform(numbers, 4)]]), dense(4, 2, "elu")),
        "conv1d": model(1, layer("conv1d", 4, [nested(numbers, 3, 1, 4), uniform(numbers, 4)], "relu", kernel_size=[3], dilation=[2]),
                        layer("batchnorm", 4, [uniform(numbers, 4), uniform(numbers, 4), uniform(numbers, 4), positive(4)], epsilon=0.01),
                        layer("conv1d", 2, [nested(numbers, 2, 2, 2), uniform(numbers, 2)], "", kernel_size=2, dilation=1, groups=2),
                        layer("batchnorm", 2, [uniform(numbers, 2), positive(2)], epsilon=0.1), layer("activation", 2, [], "sigmoid"), dense(2, 1)),
        "gru": model(1, gru(1, 3), dense(3, 1)),
        "lstm": model(2, lstm(2, 3), lstm(3, 2), dense(2, 1)),
        "conv2d": {"in_shape": [None, None, 7, 1], "layers": [
            picture(1, 2, 7, 2, 3, 2, 2, "same", 4), norm(2, 4, [uniform(numbers, 2), uniform(numbers, 2), uniform(numbers, 2), positive(2)]),
            picture(2, 3, 4, 1, 2, 1, 1, "valid", 3), norm(3, 3, [uniform(numbers, 3), positive(3)]), dense(9, 1)]},
        "aida": model(1, lstm(1, 4), dense(4, 1), in_skip=1, in_gain=-6.0, out_gain=3.0, samplerate="44100",
                      metadata={"name": "small", "esr": "0.01"}),
        "aida_gru": model(1, gru(1, 4), dense(4, 1), in_skip=0, samplerate=44100.0),
        "aida_knobs": model(3, lstm(3, 3), dense(3, 1), in_skip=1, in_gain=2.0),
    }


def guitarml(numbers, unit, size, hidden, skip, layers=1):
    gates = 4 if unit == "LSTM" else 3
    state = {}
    for k in range(layers):
        state[f"rec.weight_ih_l{k}"] = nested(numbers, gates * hidden, size if k == 0 else hidden)
        state[f"rec.weight_hh_l{k}"] = nested(numbers, gates * hidden, hidden)
        state[f"rec.bias_ih_l{k}"], state[f"rec.bias_hh_l{k}"] = uniform(numbers, gates * hidden), uniform(numbers, gates * hidden)
    state["lin.weight"], state["lin.bias"] = nested(numbers, 1, hidden), uniform(numbers, 1)
    return {"model_data": {"model": "SimpleRNN", "input_size": size, "skip": skip, "output_size": 1, "unit_type": unit, "num_layers": layers,
                           "hidden_size": hidden, "bias_fl": True}, "state_dict": state}


def run_guitarml(file, x):
    data, state = file["model_data"], file["state_dict"]
    module = getattr(torch.nn, data["unit_type"])(data["input_size"], data["hidden_size"], data["num_layers"])
    module.load_state_dict({name[4:]: torch.tensor(value) for name, value in state.items() if name.startswith("rec.")})
    knobs = torch.full((data["input_size"] - 1, x.shape[1]), 0.5)
    h = module(torch.cat([x, knobs]).T[:, None])[0][:, 0].T
    return torch.tensor(state["lin.weight"]) @ h + torch.tensor(state["lin.bias"])[:, None] + (x if data["skip"] else 0)


def rtneural_cases():
    numbers = random.Random("rtneural")
    cases = []

    def add(name, file, x, y, fast=False):
        cases.append({"name": name, "fast_tanh": fast, "file": file, "x": x.T.flatten().tolist(),
                      "y": [float(f"{v:.9g}") for v in y.detach().T.flatten().tolist()]})

    for name, file in rtneural_files(numbers).items():
        shape = file["in_shape"]
        channels = math.prod(shape[2:])
        knobs = name == "aida_knobs"
        x = torch.tensor(nested(numbers, 1 if knobs else channels, FRAMES, scale=1.0))
        for fast in (False, True) if name in ("lstm", "dense") else (False,):
            gain = lambda key: 10 ** (file.get(key, 0.0) / 20)
            loud = gain("in_gain") * x
            y = keras(file["layers"], torch.cat([loud, torch.zeros(2, FRAMES)]) if knobs else loud, fast)
            add(name + ("_fast" if fast else ""), file, x, gain("out_gain") * (y + loud if file.get("in_skip") else y), fast)
    test = next(case for case in cases if case["name"] == "aida")
    x = torch.tensor(test["x"])[None]
    test["file"]["input_batch"], test["file"]["output_batch"] = test["x"], [
        float(f"{v:.9g}") for v in (keras(test["file"]["layers"], x) + x)[0].tolist()]
    for name, options in {"guitarml_lstm": ("LSTM", 1, 3, 1), "guitarml_gru": ("GRU", 1, 4, 0), "guitarml_knobs": ("LSTM", 3, 2, 1, 2)}.items():
        file, x = guitarml(numbers, *options), torch.tensor(uniform(numbers, FRAMES, 1.0))[None]
        add(name, file, x, run_guitarml(file, x))
    return cases


def main():
    for name, cases in (("nam.json", nam_cases()), ("rtneural.json", rtneural_cases())):
        text = "[\n" + ",\n".join(json.dumps(case, separators=(",", ":")) for case in cases) + "\n]\n"
        path = HERE / name
        if "--check" not in sys.argv[1:]:
            path.write_text(text, encoding="utf-8")
            continue
        there = json.loads(path.read_text(encoding="utf-8"))
        for old, new in zip(there, cases):
            for each_file in (old["file"], new["file"]):
                each_file.pop("output_batch", None)  # computed, too
            if old != {**new, "y": old["y"]}:
                sys.exit(f"{name}: {new['name']}: the file differs")
            if max(abs(a - b) for a, b in zip(old["y"], new["y"])) > 1e-7 or len(there) != len(cases):
                sys.exit(f"{name}: {new['name']}: the output differs")
    print("checked" if "--check" in sys.argv[1:] else "wrote", "nam.json and rtneural.json")


if __name__ == "__main__":
    main()
