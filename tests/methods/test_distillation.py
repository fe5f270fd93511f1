import math

import mxnet as mx
import numpy as np
import pytest
from conftest import values

import d2ltl
from d2ltl.methods.distillation import distill, distillation_loss

SETTINGS = {"batch_size": 10, "num_epochs": 2, "size": 32}


@pytest.fixture(scope="module")
def teacher(stripes, source_file):
    """A network that tells stripes apart."""
    d2ltl.runtime.reseed(0)
    net = d2ltl.finetune_net(2, d2ltl.source_net("tiny", source_file))
    d2ltl.train_fine_tuning(net, 0.01, 10, 4, data=stripes, size=32)
    return net


def student():
    d2ltl.runtime.reseed(0)
    return d2ltl.scratch_net(2, "tiny")


@pytest.mark.parametrize("np_interface", [False, True])
def test_the_loss_is_that_of_the_paper(np_interface):
    if np_interface:
        mx.npx.set_np()
    array = mx.np.array if np_interface else mx.nd.array
    taught, learned = np.array([[2.0, 0.0, -1.0], [0.0, 0.0, 3.0]]), np.array([[1.0, 1.0, 0.0], [0.5, 0.0, 1.0]])
    outputs = array(learned), array(taught), array([0, 2])
    losses = distillation_loss(*outputs, temperature=3, alpha=0.7).asnumpy()

    def log_softmax(x):
        return x - np.log(np.exp(x).sum(axis=1, keepdims=True))

    p, log_p, log_q = np.exp(log_softmax(taught / 3)), log_softmax(taught / 3), log_softmax(learned / 3)
    divergence = (p * (log_p - log_q)).sum(axis=1)
    cross_entropy = -log_softmax(learned)[[0, 1], [0, 2]]
    np.testing.assert_allclose(losses, 0.7 * 9 * divergence + 0.3 * cross_entropy, rtol=1e-4)


def test_a_student_learns_from_the_teacher_alone(stripes, teacher):
    """With wrong labels and alpha 1, what it knows in the end can only be the teacher's."""
    train, test = d2ltl.load_images(stripes)
    wrong = train.relabel([train.synsets[1 - label] for label in train.labels])
    net = student()
    history = distill(net, teacher, 0.02, 10, 25, data=(wrong, test), alpha=1, size=32)
    assert d2ltl.evaluate(teacher, test, size=32)[1] >= 0.9
    assert history.epochs[-1].test_acc >= 0.8
    assert history.epochs[-1].train_acc <= 0.3  # by the wrong labels


def test_without_a_share_of_the_teacher_it_is_ordinary_training(stripes, teacher):
    alone, taught = student(), student()
    expected = d2ltl.train_fine_tuning(alone, 0.02, data=stripes, **SETTINGS)
    found = distill(taught, teacher, 0.02, data=stripes, alpha=0, **SETTINGS)
    assert found.curve("test_acc") == expected.curve("test_acc")
    np.testing.assert_allclose(found.curve("loss"), expected.curve("loss"), rtol=1e-5)


def test_the_teacher_stays_as_it_is_and_the_student_is_left_alone_afterwards(stripes, teacher, recwarn):
    before, net = values(teacher), student()
    distill(net, teacher, 0.02, data=stripes, **SETTINGS)
    assert all(np.array_equal(value, before[name]) for name, value in values(teacher).items())
    assert not [warning for warning in recwarn if "hook" in str(warning.message)]
    d2ltl.train_fine_tuning(net, 0.02, data=stripes, **SETTINGS)  # asks nobody
    assert not [warning for warning in recwarn if "hook" in str(warning.message)]


def test_a_checkpoint_of_another_loss_is_refused(stripes, teacher, tmp_path):
    options = {"data": stripes, "batch_size": 10, "size": 32, "checkpoint": tmp_path / "run.checkpoint"}
    distill(student(), teacher, 0.02, num_epochs=1, **options)
    with pytest.raises(d2ltl.CheckpointError, match="alpha"):
        distill(student(), teacher, 0.02, num_epochs=3, alpha=0.5, **options)
    with pytest.raises(d2ltl.CheckpointError, match="alpha"):
        d2ltl.train_fine_tuning(student(), 0.02, num_epochs=3, **options)


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"temperature": 0}, "temperature is 0"),
        ({"temperature": math.inf}, "temperature is inf"),
        ({"alpha": 1.5}, "alpha is 1.5"),
        ({"size": 0}, "size"),
    ],
)
def test_numbers_that_make_no_sense_are_refused(stripes, teacher, options, problem):
    with pytest.raises(d2ltl.D2LTLError, match=problem):
        distill(student(), teacher, 0.02, data=stripes, **{**SETTINGS, **options})


def test_a_teacher_of_other_classes_is_refused(stripes, source):
    with pytest.raises(d2ltl.NetworkError, match="5 outputs, but the images have 2 classes"):
        distill(student(), source, 0.02, data=stripes, **SETTINGS)
