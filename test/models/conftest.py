"""Model folders, written once a run."""

from pathlib import Path

from folders import write_base_folder, write_feature_folder, write_unet_folder
import pytest


@pytest.fixture(scope='session')
def unet_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_unet_folder(tmp_path_factory.mktemp('unet-only'))


@pytest.fixture(scope='session')
def base_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_base_folder(tmp_path_factory.mktemp('base'))


@pytest.fixture(scope='session')
def feature_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_feature_folder(tmp_path_factory.mktemp('features'))
