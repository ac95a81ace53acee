"""Every run of Lava ends, says why if it failed, and leaves nothing behind."""

from __future__ import annotations

import gc
import importlib.util
import math
import multiprocessing
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from faulty.processes import Pair, Sink, Source, Unimplemented
from lava.magma.compiler.exceptions import NoProcessModelFound
from lava.magma.core.process.process import AbstractProcess
from lava.magma.core.run_conditions import RunSteps
from lava.magma.core.run_configs import Loihi2SimCfg
from lava.magma.core.sync.protocols.async_protocol import AsyncProtocol
from lava.proc.io.extractor import Extractor
from lava.proc.io.injector import Injector

from lava_qsnn.errors import ConfigurationError, RunError, TimeLimitError
from lava_qsnn.process import guard
from lava_qsnn.process.guard import GuardedRuntime, run

TESTS = Path(__file__).parent
PROMPT = 5.0  # Seconds within which each failure must have been raised.


def network(failure: str | None = None, **options: Any) -> tuple[Source, Sink]:
    source, sink = Source(failure, **options), Sink()
    source.output.connect(sink.input)
    return source, sink


def asynchronous() -> Loihi2SimCfg:
    return Loihi2SimCfg(select_sync_domain=None) if False else AsyncConfig()


class AsyncConfig(Loihi2SimCfg):
    """Chooses the models that follow the asynchronous protocol."""

    def select(self, proc: AbstractProcess, proc_models: list[Any]) -> Any:
        return next(model for model in proc_models if model.implements_protocol is AsyncProtocol)


class LoihiConfig(Loihi2SimCfg):
    """Chooses the models that do not follow the asynchronous protocol."""

    def select(self, proc: AbstractProcess, proc_models: list[Any]) -> Any:
        return next(model for model in proc_models if model.implements_protocol is not AsyncProtocol)
