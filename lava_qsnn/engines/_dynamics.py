"""The loops of neurons with wrapping state, compiled by numba: imported where they run, for numba takes a second.

Each takes the currents of all time steps of many neurons and leaves its state behind, so that a next call goes on.
Numbers are int32, in which all these neurons wrap by definition; numba computes wider, so that each is cast back.
A block of neurons goes through all its steps before the next begins: its state stays in a core's own cache. Neighbours
are computed together, in loops of few arrays and no branch, which the compiler turns into vector instructions.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

#: Neurons whose state is in the cache at a time.
BLOCK = 2048

LIMIT, TURN = np.int32(2**23), np.int32(2**24)


@numba.njit(cache=True, inline="always", nogil=True)
def _left(value: Any, kept: Any) -> Any:
    """[value kept / 4096], rounded towards zero, for kept from 0 to 4096: in 32 bits, by its upper and lower bits."""
    size = np.int32(abs(value))
    found = np.int32(np.int32((size >> 12) * kept) + np.int32(np.int32((size & 4095) * kept) >> 12))
    return np.int32(-found) if value < 0 else found


@numba.njit(cache=True, nogil=True)
def _drive(current: Any, kept: Any, u: Any) -> None:
    for p in range(len(u)):
        now = np.int32(_left(u[p], kept[p]) + np.int32(np.int32(current[p]) << 6))
        lower, higher = np.int32(now - TURN), np.int32(now + TURN)
        u[p] = lower if now > LIMIT else higher if now <= -LIMIT else now


@numba.njit(cache=True, nogil=True)
def _integrate(u: Any, kept: Any, bias: Any, v: Any) -> None:
    for p in range(len(v)):
        x = np.int32(_left(v[p], kept[p]) + np.int32(u[p] + bias[p]))
        v[p] = min(max(x, np.int32(1 - LIMIT)), np.int32(LIMIT - 1))


@numba.njit(cache=True, nogil=True)
def _raise(bias: Any, extra: Any, raised: Any) -> None:
    for p in range(len(bias)):
        raised[p] = np.int32(np.int16(np.int32((bias[p] >> 6) + np.int32(extra[p])))) << 6


@numba.njit(cache=True, nogil=True)
def _fire(threshold: Any, v: Any, spikes: Any) -> None:
    for p in range(len(v)):
        fired = v[p] > threshold[p]
        spikes[p] = fired
        v[p] = np.int32(0) if fired else v[p]


@numba.njit(cache=True, nogil=True)
def cuba(current: Any, extra: Any, numbers: Any, u: Any, v: Any, spikes: Any, voltages: Any) -> None:
    """Compute CUBA neurons; see `integer.CUBA` for the equations.

    Args:
        current: numbers (T, n, P) that int32 holds.
        extra: of the port "bias", (T, n, P), int32; (0, 0, 0) if nothing feeds it.
        numbers: int32 (4, P): 4096 minus the decays of current and voltage; biases and thresholds, times 2^6.
        u, v: int32 (n, P), the state, changed.
        spikes: bool (T, n, P), written.
        voltages: int32 (T, n, P), written; (0, 0, 0) if they are not wanted.
    """
    steps, samples, neurons = spikes.shape
    raised = np.empty(BLOCK, np.int32)
    for i in range(samples):
        for a in range(0, neurons, BLOCK):
            b = min(neurons, a + BLOCK)
            for t in range(steps):
                bias = numbers[2, a:b]
                if len(extra):
                    _raise(bias, extra[t, i, a:b], raised[: b - a])
                    bias = raised[: b - a]
                _drive(current[t, i, a:b], numbers[0, a:b], u[i, a:b])
                _integrate(u[i, a:b], numbers[1, a:b], bias, v[i, a:b])
                _fire(numbers[3, a:b], v[i, a:b], spikes[t, i, a:b])
                if len(voltages):
                    voltages[t, i, a:b] = v[i, a:b]


@numba.njit(cache=True, nogil=True)
def _add(current: Any, total: Any) -> None:
    for p in range(len(total)):
        total[p] = np.int32(total[p] + np.int32(current[p]))


@numba.njit(cache=True, nogil=True)
def _rectify(total: Any, bias: Any, activation: Any, residue: Any) -> None:
    """The new activation in place of the old, and the change in place of the residue."""
    for p in range(len(total)):
        active = max(np.int32(total[p] + bias[p]), np.int32(0))
        residue[p] = np.int32(np.int32(active - activation[p]) + residue[p])
        activation[p] = active


@numba.njit(cache=True, nogil=True)
def _encode(current: Any, shift: Any, activation: Any, residue: Any) -> None:
    """The same for an activation that is the current, shifted."""
    for p in range(len(residue)):
        active = np.int32(np.int32(current[p]) << shift)
        residue[p] = np.int32(np.int32(active - activation[p]) + residue[p])
        activation[p] = active


@numba.njit(cache=True, nogil=True)
def _tell(threshold: Any, cut: Any, residue: Any, output: Any) -> None:
    """Messages, and what they leave of the changes; `cut` of the message's lowest bits count as told."""
    for p in range(len(residue)):
        change = residue[p]
        told = change if np.int32(abs(change)) >= threshold[p] else np.int32(0)
        output[p] = told >> 6
        residue[p] = np.int32(change - np.int32((told >> cut) << cut))


@numba.njit(cache=True, nogil=True)
def sigma_delta(current: Any, numbers: Any, shift: Any, is_encoder: Any, cut: Any, state: Any, output: Any) -> None:
    """Compute SigmaDelta neurons of the forms that send changes; see `integer.SigmaDelta` for the equations.

    Args:
        current: numbers (T, n, P) that int32 holds.
        numbers: int32 (2, P): thresholds and biases, shifted.
        shift: int32, of the currents of an encoder.
        is_encoder: True for the form "delta".
        cut: int32, 6 for the corrected rule, 0 for the stock one.
        state: int32 (3, n, P): sums, activations and residues; changed.
        output: int32 (T, n, P), written.
    """
    steps, samples, neurons = output.shape
    for i in range(samples):
        for a in range(0, neurons, BLOCK):
            b = min(neurons, a + BLOCK)
            activation, residue = state[1, i, a:b], state[2, i, a:b]
            for t in range(steps):
                if is_encoder:
                    _encode(current[t, i, a:b], shift, activation, residue)
                else:
                    _add(current[t, i, a:b], state[0, i, a:b])
                    _rectify(state[0, i, a:b], numbers[1, a:b], activation, residue)
                _tell(numbers[0, a:b], cut, residue, output[t, i, a:b])


@numba.njit(cache=True, inline="always", nogil=True)
def _times(value: Any, factor: Any) -> Any:
    """[value factor / 4096], rounded towards zero, for |value| < 2^23 and |factor| <= 2^16."""
    found = _left(np.int32(abs(value)), np.int32(abs(factor)))
    return np.int32(-found) if (value < 0) != (factor < 0) else found


@numba.njit(cache=True, nogil=True)
def _turn(current: Any, one: Any, by: Any, other: Any, across: Any, turned: Any) -> None:
    """One number of the next step: the one by its factor, the other by its own, and the current."""
    far = np.int32(2**30)  # beyond it nothing changes, and sums stay in 32 bits
    for p in range(len(turned)):
        driven = min(max(np.int32(np.int32(current[p]) << 6), np.int32(-far)), far)
        x = np.int32(np.int32(_times(one[p], by[p]) + _times(other[p], across[p])) + driven)
        turned[p] = min(max(x, np.int32(1 - LIMIT)), np.int32(LIMIT - 1))


@numba.njit(cache=True, nogil=True)
def _cross(real: Any, imaginary: Any, before: Any, threshold: Any, spikes: Any) -> None:
    for p in range(len(spikes)):
        spikes[p] = (real[p] >= threshold[p]) & (imaginary[p] >= 0) & (before[p] < 0)


@numba.njit(cache=True, nogil=True)
def _reach(real: Any, imaginary: Any, threshold: Any, spikes: Any) -> None:
    for p in range(len(spikes)):
        fired = imaginary[p] >= threshold[p]
        spikes[p] = fired
        real[p] = np.int32(0) if fired else real[p]
    for p in range(len(spikes)):
        imaginary[p] = min(imaginary[p], np.int32(threshold[p] - 1))


@numba.njit(cache=True, nogil=True)
def resonate(real: Any, imaginary: Any, numbers: Any, resets: Any, state: Any, spikes: Any) -> None:
    """Compute RF neurons, or RFIzhikevich's; see `integer.RF` for the equations.

    Args:
        real, imaginary: numbers (T, n, P) that int32 holds.
        numbers: int32 (4, P): cosines, sines, sines negated, and thresholds times 2^6.
        resets: True for RFIzhikevich.
        state: int32 (2, n, P), changed.
        spikes: bool (T, n, P), written.
    """
    steps, samples, neurons = spikes.shape
    turned = np.empty((2, BLOCK), np.int32)
    for i in range(samples):
        for a in range(0, neurons, BLOCK):
            b = min(neurons, a + BLOCK)
            re, im, cosine, threshold = state[0, i, a:b], state[1, i, a:b], numbers[0, a:b], numbers[3, a:b]
            for t in range(steps):
                new_re, new_im = turned[0, : b - a], turned[1, : b - a]
                _turn(real[t, i, a:b], re, cosine, im, numbers[2, a:b], new_re)
                _turn(imaginary[t, i, a:b], im, cosine, re, numbers[1, a:b], new_im)
                if resets:
                    _reach(new_re, new_im, threshold, spikes[t, i, a:b])
                else:
                    _cross(new_re, new_im, im, threshold, spikes[t, i, a:b])
                re[:] = new_re
                im[:] = new_im


@numba.njit(cache=True, nogil=True)
def delayed(source: Any, weight: Any, delays: Any, current: Any) -> None:
    """Add up the currents of a dense synapse whose weights have delays, from the sources that are not 0.

    Args:
        source: integers (T, n, in).
        weight: (in, out), of the type of the currents.
        delays: int32 (in, out), time steps from 0.
        current: integers (T, n, out), written.
    """
    steps, samples, sources = source.shape
    longest = delays.max()
    total = np.empty((steps + longest, weight.shape[1]), weight.dtype)
    for i in range(samples):
        total[:] = 0
        for t in range(steps):
            for j in range(sources):
                number = source[t, i, j]
                if number != 0:
                    for o in range(weight.shape[1]):
                        total[t + delays[j, o], o] += number * weight[j, o]
        current[:, i] = total[:steps]


@numba.njit(cache=True, nogil=True)
def _receive(row: Any, weight: Any) -> None:
    for p in range(len(row)):
        row[p] = np.int32(row[p] + weight[p])


@numba.njit(cache=True, nogil=True)
def cuba_circle(
    current: Any, extra: Any, numbers: Any, weight: Any, delays: Any, one_delay: Any, u: Any, v: Any, spikes: Any
) -> None:
    """Compute CUBA neurons that feed back to themselves: what a spike causes is added where it arrives.

    Args:
        current, extra, numbers, u, v, spikes: as `cuba`'s, the current that of connections from elsewhere.
        weight: int32 (E, P, P), of E dense connections, from one neuron to another.
        delays: int32 (E, P, P), of the same, at least 1.
        one_delay: int32 (E,), the delay of all of a connection's weights; 0 if they have several.
    """
    steps, samples, neurons = spikes.shape
    coming = np.empty((delays.max() + 1, neurons), np.int32)
    raised = np.empty(neurons, np.int32)
    for i in range(samples):
        coming[:] = 0
        for t in range(steps):
            now = coming[t % len(coming)]
            _add(current[t, i], now)
            bias = numbers[2]
            if len(extra):
                _raise(bias, extra[t, i], raised)
                bias = raised
            _drive(now, numbers[0], u[i])
            _integrate(u[i], numbers[1], bias, v[i])
            _fire(numbers[3], v[i], spikes[t, i])
            now[:] = 0
            for j in range(neurons):
                if spikes[t, i, j]:
                    for e in range(len(weight)):
                        if one_delay[e]:
                            _receive(coming[(t + one_delay[e]) % len(coming)], weight[e, j])
                        else:
                            for p in range(neurons):
                                coming[(t + delays[e, j, p]) % len(coming), p] += weight[e, j, p]
