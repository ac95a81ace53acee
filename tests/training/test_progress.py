"""A training's lines, and a second log by Lightning's own loggers."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest

from lava_qsnn.errors import ConfigurationError
from lava_qsnn.train import curves
from lava_qsnn.train._loggers import known, made_loggers
from lava_qsnn.train.config import load_config, override
from lava_qsnn.train.train import train

TINY = override(load_config("digits"), {"trainer.max_epochs": 2, "model.hidden": [16]})


def test_a_piped_training_has_a_line_for_each_epoch_and_a_second_log(tmp_path: Path) -> None:
    log = io.StringIO()
    config = override(
        TINY, {"trainer.logger": "CSVLogger", "trainer.logger_options": {"name": "mine", "flush_logs_every_n_steps": 1}}
    )
    result = train(config, tmp_path / "run", log=log)
    number = r"\d+\.\d{4}"
    line = (
        rf"epoch (\d) of 2, training loss {number}, validation loss {number}, "
        r"validation accuracy \d+\.\d\d%, [\d,]+ samples/s"
    )
    found = [re.fullmatch(line, each) for each in log.getvalue().splitlines()]
    assert [each and each[1] for each in found] == ["1", "2"]
    assert all(each.isprintable() for each in log.getvalue().splitlines())
    (mine,) = (tmp_path / "run").glob("mine/version_*/metrics.csv")
    assert curves.read_logs([mine]) == curves.read_logs(result.logs)


def test_without_a_logger_there_is_the_csv_file(tmp_path: Path) -> None:
    assert len(made_loggers(TINY.trainer, tmp_path)) == 1
    assert {"TensorBoardLogger", "WandbLogger", "CSVLogger", "MLFlowLogger"} <= known().keys()


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"trainer.logger": "TensorbordLogger"}, "did you mean 'TensorBoardLogger'"),
        ({"trainer.logger": "os.system"}, "there is no 'os.system'"),
        ({"trainer.logger": "CSVLogger", "trainer.logger_options": {"nme": "x"}}, "unexpected keyword argument 'nme'"),
        ({"trainer.logger_options": {"name": "x"}}, "name one in trainer.logger"),
    ],
)
def test_what_is_no_logger_is_told(values: dict[str, object], text: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=text):
        made_loggers(override(TINY, values).trainer, tmp_path)
    assert made_loggers(override(TINY, {"trainer.logger": "lightning.pytorch.loggers.CSVLogger"}).trainer, tmp_path)
