"""Compressing by the pinned compressor (step `packer`)."""


def pack(step, source, target):
    step.run([step.python, step.recipe('pack.py'), source, target], PYTHONPATH=f'{step.result("packer")}/site')
