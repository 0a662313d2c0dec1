# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What pip and colcon install."""

import re
from pathlib import Path

from setuptools import find_packages, setup

NAME = 'event_perception'
ROOT = Path(__file__).resolve().parent
NODES = sorted(path.stem for path in (ROOT / NAME / 'nodes').glob('*_node.py'))


def version():
    """The version in the package, read without importing it."""
    return re.search(r"__version__ = '(.+)'", (ROOT / NAME / '__init__.py').read_text()).group(1)


def files(pattern):
    """Paths below the root, as data_files wants them."""
    return sorted(str(path.relative_to(ROOT)) for path in ROOT.glob(pattern) if path.is_file())


def package_files():
    """Bundled recordings, lenses, parameters and weights, relative to the package."""
    patterns = ('recordings/**/*', 'optics/lenses/*.yaml', 'evaluation/*.npz', '*/weights/*.safetensors')
    paths = [path for pattern in patterns for path in files(f'{NAME}/{pattern}')]
    return [str(Path(path).relative_to(NAME)) for path in paths]


# ROS looks for executables in lib/<package>; with these options they land there without a setup.cfg.
SCRIPTS = f'$base/lib/{NAME}'

setup(
    name=NAME,
    version=version(),
    packages=find_packages(include=[NAME, f'{NAME}.*']),
    package_data={NAME: package_files()},
    data_files=[
        ('share/ament_index/resource_index/packages', [f'resource/{NAME}']),
        (f'share/{NAME}', ['package.xml']),
        (f'share/{NAME}/launch', files('launch/*.launch.py')),
        (f'share/{NAME}/config', files('config/*')),
    ],
    python_requires='>=3.10',
    install_requires=[
        'numpy>=1.21',
        'scipy',
        'numba',
        'opencv-python-headless',
        'PyYAML',
        'rosbags',
        'safetensors',
        'lz4',
        'backports.zstd',
        'torch>=1.13,<=2.13.0',
    ],
    extras_require={
        'test': ['pytest', 'hypothesis', 'pytest-timeout'],
        'aedat': ['aedat'],
        'aedat-write': ['dv-processing'],
        'hdf5': ['h5py'],
        'sim': ['mujoco>=3'],
        'slam': ['gtsam>=4.3; python_version >= "3.11"'],
        'optics': ['deeplens-core; python_version == "3.12"'],
    },
    zip_safe=False,
    author='The event_perception authors',
    maintainer='The event_perception authors',
    maintainer_email='maintainers@event-perception.invalid',
    description='Egomotion, optical flow, images and odometry from event cameras and spike cameras, for ROS 2.',
    license='Apache-2.0',
    entry_points={
        'console_scripts': [
            f'event-perception = {NAME}.cli:main',
            *(f'{node} = {NAME}.nodes.{node}:main' for node in NODES),
        ]
    },
    options={'install': {'install_scripts': SCRIPTS}, 'develop': {'script_dir': SCRIPTS}},
)
