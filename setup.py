"""
Installs the package without ROS and without a compiler: `pip install .`.

On a ROS installation colcon builds CMakeLists.txt instead, which adds the messages and the node.
"""

from setuptools import find_packages, setup

MESSAGES = 'depthsync_ros.msg_definitions'  # the texts of msg/, which bags carry

setup(
    name='depthsync_ros',
    version='0.1.0',
    description='Scale-consistent video depth and camera poses from one camera: DepthSync',
    long_description=open('README.md', encoding='utf-8').read(),  # noqa: SIM115, PTH123
    long_description_content_type='text/markdown',
    license='Apache-2.0',
    python_requires='>=3.10',
    packages=[*find_packages(include=['depthsync_ros', 'depthsync_ros.*']), MESSAGES],
    package_dir={MESSAGES: 'msg'},
    package_data={
        MESSAGES: ['*.msg'],
        'depthsync_ros.models': ['embedded/**'],
        'depthsync_ros.demo': ['clip/**'],
    },
    install_requires=[
        'diffusers>=0.30',
        'huggingface_hub',
        'jaxtyping',
        'numpy>=1.26',
        'opencv-python-headless>=4.8',
        'pyyaml',
        'rich',
        'rosbags>=0.10',
        'safetensors',
        'torch>=2.2',
    ],
    extras_require={
        'clip': ['transformers'],  # DepthCrafter's image encoder
        'viewer': ['rerun-sdk>=0.23'],
        'evaluation': ['evo', 'matplotlib', 'scipy'],  # evo is GPL-3.0
    },
    entry_points={'console_scripts': ['depthsync = depthsync_ros.cli.main:main']},
)
