# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The training loop: it learns, it goes on after an interruption as if there had been none, it leaves its folder."""

import csv
import os
import subprocess
import sys
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
import yaml
from torch import nn

from event_perception import learning
from event_perception.config import param
from event_perception.errors import ConfigError, DataError, PluginError
from event_perception.learning.checkpoints import load_weights, read, save_weights
from event_perception.learning.foreign_weights import load_foreign_weights
from event_perception.learning.plan import TrainingPlan, make_plan, read_plan
from event_perception.learning.processes import joined_processes
from event_perception.learning.task import TrainingConfig, Validation
from event_perception.learning.training import learning_rate, train


@dataclass(frozen=True, slots=True)
class LineConfig:
    slope: float = param(2.0, 'What is to be learned.', ge=-9.0, le=9.0)


class LineTask:
    """y = slope x, to be found by one weight; dropout draws from torch's own generator."""

    config_type = LineConfig
    training = {'steps': 60, 'learning_rate': 0.1, 'checkpoint_every': 7, 'curve_every': 10, 'clip_norm': 0.0}

    def __init__(self, config):
        self.config = config

    def build(self):
        return nn.Sequential(nn.Linear(1, 4), nn.Dropout(0.1), nn.Linear(4, 1))

    def batch(self, random):
        x = random.standard_normal((8, 1)).astype(np.float32)
        return {'x': x, 'y': np.float32(self.config.slope) * x}

    def loss(self, network, batch, step):
        return ((network(batch['x']) - batch['y']) ** 2).mean()

    def validate(self, network, device):
        x = torch.ones(1, 1, device=device)
        return Validation({'slope': float(network(x))}, {'grey': np.full((4, 6), 0.5)})


@pytest.fixture
def plan(monkeypatch):
    monkeypatch.setitem(learning.TASKS._builtin, 'test.line', f'{__name__}:LineTask')
    monkeypatch.setitem(sys.modules, __name__, sys.modules.get(__name__) or type(sys)(__name__))
    monkeypatch.setattr(sys.modules[__name__], 'LineTask', LineTask, raising=False)
    return make_plan('test.line')


def weights(folder):
    return {name: value.numpy() for name, value in read(folder / 'weights.safetensors')[0].items()}


def rows(file):
    with file.open(newline='') as lines:
        return list(csv.DictReader(lines))


def test_a_training_learns_and_leaves_everything_in_its_folder(plan, tmp_path):
    said = []
    result = train(plan, tmp_path / 'a', progress=said.append)
    assert result.end == 'done' and result.steps == 60
    assert result.metrics['slope'] == pytest.approx(2.0, abs=0.3)
    curve = rows(tmp_path / 'a' / 'curve.csv')
    assert [int(r['step']) for r in curve] == [10, 20, 30, 40, 50, 60]
    assert float(curve[-1]['loss']) < 0.3 * float(curve[0]['loss'])
    names = {p.relative_to(tmp_path / 'a').as_posix() for p in (tmp_path / 'a').rglob('*') if p.is_file()}
    assert names == {
        'config.yaml', 'environment.json', 'curve.csv', 'curve.svg', 'validation.csv', 'validation_slope.svg',
        'validation/0000060_grey.png', 'checkpoint.safetensors', 'weights.safetensors',
    }  # fmt: skip
    assert any('60/60' in text for text in said)
    assert read_plan(tmp_path / 'a' / 'config.yaml').training == plan.training


def test_an_interrupted_training_goes_on_bit_by_bit_as_if_it_had_not_stopped(plan, tmp_path):
    train(plan, tmp_path / 'whole')
    asked = iter([False] * 22 + [True])
    cut = train(plan, tmp_path / 'cut', stop=lambda: next(asked))
    assert (cut.end, cut.steps) == ('interrupted', 23)
    done = train(plan, tmp_path / 'cut', resume=True)
    assert (done.end, done.steps) == ('done', 60)
    whole, parts = weights(tmp_path / 'whole'), weights(tmp_path / 'cut')
    assert whole.keys() == parts.keys()
    assert all(np.array_equal(whole[name], parts[name]) for name in whole)


def test_steps_after_the_last_checkpoint_are_done_again_and_leave_no_second_rows(plan, tmp_path):
    train(plan, tmp_path / 'a')
    checkpoint = (tmp_path / 'a' / 'checkpoint.safetensors').read_bytes()
    longer = replace(plan, training=replace(plan.training, steps=80))
    train(longer, tmp_path / 'a', resume=True)
    (tmp_path / 'a' / 'checkpoint.safetensors').write_bytes(checkpoint)
    train(longer, tmp_path / 'a', resume=True)
    assert [int(r['step']) for r in rows(tmp_path / 'a' / 'curve.csv')] == [10, 20, 30, 40, 50, 60, 70, 80]


def test_batches_made_ahead_in_threads_change_nothing(plan, tmp_path):
    for ahead in (0, 3):
        train(replace(plan, training=replace(plan.training, batches_ahead=ahead)), tmp_path / str(ahead))
    a, b = weights(tmp_path / '0'), weights(tmp_path / '3')
    assert all(np.array_equal(a[name], b[name]) for name in a)


def test_another_seed_is_another_training(plan, tmp_path):
    for seed in (0, 1):
        train(replace(plan, training=replace(plan.training, seed=seed, steps=5)), tmp_path / str(seed))
    assert not np.array_equal(weights(tmp_path / '0')['0.weight'], weights(tmp_path / '1')['0.weight'])


def test_time_that_is_up_ends_a_training_with_its_weights_kept(plan, tmp_path):
    result = train(plan, tmp_path / 'a', minutes=0.0)
    assert (result.end, result.steps) == ('time is up', 1)
    assert (tmp_path / 'a' / 'weights.safetensors').exists()


def test_results_are_never_overwritten_and_nothing_cannot_be_resumed(plan, tmp_path):
    (tmp_path / 'a').mkdir()
    (tmp_path / 'a' / 'note.txt').write_text('mine')
    with pytest.raises(DataError, match='not empty'):
        train(plan, tmp_path / 'a')
    with pytest.raises(DataError, match='no checkpoint'):
        train(plan, tmp_path / 'b', resume=True)


def test_a_gradient_that_is_not_finite_ends_the_training_with_an_error(plan, tmp_path):
    task = LineTask(LineConfig())
    task.loss = lambda network, batch, step: network(batch['x']).sum() * (float('nan') if step == 3 else 1.0)
    with pytest.raises(DataError, match='step 3: the gradient is not finite'):
        train(replace(plan, task=task), tmp_path / 'a')


def test_a_device_that_is_not_there_is_an_error(plan, tmp_path):
    if torch.cuda.is_available():
        pytest.skip('there is one')
    with pytest.raises(ConfigError, match='CUDA'):
        train(plan, tmp_path / 'a', device='cuda')


def test_the_plan_takes_a_file_and_assignments_and_refuses_what_it_does_not_know(plan, tmp_path):
    file = tmp_path / 'c.yaml'
    file.write_text(yaml.safe_dump({'name': 'test.line', 'training': {'steps': 9}, 'task': {'slope': 3.0}}))
    made = make_plan('test.line', file, ['training.steps=11', 'training.milestones=[3, 5]'])
    assert made.training.steps == 11 and made.task.config.slope == 3.0 and made.training.milestones == (3, 5)
    assert made.training.learning_rate == 0.1  # the task's own default
    with pytest.raises(ConfigError, match=r'task\.bias'):
        make_plan('test.line', None, ['task.bias=1'])
    file.write_text('name: test.other')
    with pytest.raises(ConfigError, match="'test\\.other'"):
        make_plan('test.line', file)
    with pytest.raises(PluginError, match=r"methods of 'test': \['test.line'\]"):
        make_plan('test.curve')


@pytest.mark.parametrize(
    ('changes', 'rates'),
    [
        ({'schedule': 'constant'}, [1.0, 1.0, 1.0, 1.0, 1.0]),
        ({'schedule': 'constant', 'warm_up_steps': 4}, [0.25, 0.5, 0.75, 1.0, 1.0]),
        ({'schedule': 'cosine', 'steps': 4}, [1.0, 0.8535534, 0.5, 0.1464466, 0.0]),
        ({'schedule': 'milestones', 'milestones': (1, 3)}, [1.0, 0.5, 0.5, 0.25, 0.25]),
    ],
)
def test_the_learning_rate_follows_its_schedule(changes, rates):
    config = replace(TrainingConfig(learning_rate=1.0), **changes)
    np.testing.assert_allclose([learning_rate(config, step) for step in range(5)], rates, rtol=1e-6)


def test_weights_come_back_with_what_they_are_and_others_are_refused(tmp_path):
    a, b, other = nn.Linear(3, 2), nn.Linear(3, 2), nn.Linear(3, 4)
    save_weights(tmp_path / 'w.safetensors', a, {'task': 'test', 'config': {'x': 1}})
    assert load_weights(tmp_path / 'w.safetensors', b) == {'task': 'test', 'config': {'x': 1}}
    assert torch.equal(a.weight, b.weight) and torch.equal(a.bias, b.bias)
    with pytest.raises(DataError, match=r'shape \(2,\), the network \(4,\)'):
        load_weights(tmp_path / 'w.safetensors', other)
    with pytest.raises(DataError, match=r'missing 0\.bias, 0\.weight, unknown bias, weight'):
        load_weights(tmp_path / 'w.safetensors', nn.Sequential(nn.Linear(3, 2)))
    (tmp_path / 'cut.safetensors').write_bytes((tmp_path / 'w.safetensors').read_bytes()[:-3])
    with pytest.raises(DataError, match='not a complete safetensors file'):
        load_weights(tmp_path / 'cut.safetensors', b)
    with pytest.raises(DataError, match='no such file'):
        load_weights(tmp_path / 'none.safetensors', b)


def test_published_weights_are_read_as_data_only(tmp_path):
    a, b = nn.Linear(3, 2), nn.Linear(3, 2)
    published = {f'module.net.{name}': value for name, value in a.state_dict().items()}
    torch.save({'state_dict': published}, tmp_path / 'w.pth')
    load_foreign_weights(tmp_path / 'w.pth', b, lambda name: name.removeprefix('net.'))
    assert torch.equal(a.weight, b.weight)
    torch.save({'epoch': 3}, tmp_path / 'none.pth')
    with pytest.raises(DataError, match='no tensors by name'):
        load_foreign_weights(tmp_path / 'none.pth', b)
    torch.save(a, tmp_path / 'code.pth')
    with pytest.raises(DataError, match='weights alone'):
        load_foreign_weights(tmp_path / 'code.pth', b)


MEAN_OF_TWO = """
import sys, torch
from torch import nn
from event_perception.learning.processes import joined_processes
with joined_processes('cpu') as (processes, device):
    network = nn.Linear(2, 1)
    network.weight.grad = torch.full((1, 2), float(processes.rank + 1))
    processes.average_gradients(network)
    assert processes.count == 2 and network.bias.grad is None
    assert network.weight.grad.tolist() == [[1.5, 1.5]], network.weight.grad
    assert processes.any(processes.rank == 1, device) and not processes.any(False, device)
"""


def test_two_processes_learn_from_the_mean_of_their_gradients(tmp_path):
    # A file instead of a port to meet at: nothing of the network is needed.
    code = MEAN_OF_TWO.replace(
        'from event_perception',
        f'import os\nstore = torch.distributed.FileStore({str(tmp_path / "meet")!r}, 2)\n'
        'join = torch.distributed.init_process_group\n'
        'torch.distributed.init_process_group = lambda kind: join(\n'
        "    kind, store=store, rank=int(os.environ['RANK']), world_size=2)\n"
        'from event_perception',
        1,
    )
    environment = os.environ | {'WORLD_SIZE': '2', 'OMP_NUM_THREADS': '1'}
    both = [
        subprocess.Popen(
            [sys.executable, '-W', 'ignore', '-c', code],
            env=environment | {'RANK': str(rank)},
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    errors = [process.communicate(timeout=60)[1] for process in both]
    assert [process.returncode for process in both] == [0, 0], errors


def test_alone_there_is_nothing_to_average():
    with joined_processes('cpu') as (processes, device):
        assert processes.first and device == 'cpu' and processes.any(True, device)


def test_a_plan_is_a_value_of_its_own(plan):
    assert isinstance(plan, TrainingPlan)
    assert yaml.safe_load(plan.to_yaml())['task'] == {'slope': 2.0}
