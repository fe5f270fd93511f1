import mxnet as mx
import numpy as np
import pytest
from conftest import values

import d2ltl
from d2ltl.comparison.strategies import STRATEGIES, STUDENT, Rates
from d2ltl.models.freezing import stages
from d2ltl.runtime import reseed

OPTIONS = {"num_epochs": 2, "size": 32, "batch_size": 10, "verbose": False}


@pytest.mark.parametrize("name", [*STRATEGIES, "freeze-1", "codes-softmax-1", "codes-softmax-2"])
def test_every_strategy_trains_a_network_and_leaves_the_source_model_alone(stripes, source, name, capsys):
    before = values(source)
    net, history = d2ltl.train_network(name, source, data=d2ltl.load_images(stripes), **OPTIONS)
    assert history.epochs[-1].test_acc == d2ltl.evaluate(net, stripes, size=32)[1]
    assert len(history) == (1 if name.startswith("codes-") else 2)
    assert all(np.array_equal(value, before[key]) for key, value in values(source).items())
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(("name", "kept"), [("frozen", 2), ("fixed", 2), ("freeze-1", 1), ("finetune", 0)])
def test_what_a_strategy_keeps_stays_as_it_is(stripes, source, name, kept):
    net, _ = d2ltl.train_network(name, source, data=d2ltl.load_images(stripes), **OPTIONS)
    for number, layer in enumerate((net.features[0], net.features[1])):
        same = np.array_equal(layer.weight.data().asnumpy(), source.features[number].weight.data().asnumpy())
        assert same == (number < kept)


def test_it_is_the_training_that_the_functions_give(stripes, source):
    pair = d2ltl.load_images(stripes)
    _, history = d2ltl.train_network("finetune", source, data=pair, rates=Rates(lr_finetune=0.02), seed=3, **OPTIONS)
    reseed(3)
    by_hand = d2ltl.train_fine_tuning(d2ltl.finetune_net(2, source), 0.02, data=pair, seed=3, **OPTIONS)
    assert history.curve("loss") == by_hand.curve("loss")


@pytest.mark.parametrize("k", [1, 2])
def test_the_codes_of_a_stage_are_those_that_extract_codes_gives(stripes, source, k):
    pair = d2ltl.load_images(stripes)
    net, history = d2ltl.train_network(f"codes-softmax-{k}", source, data=pair, **OPTIONS)
    codes, test_codes = (d2ltl.extract_codes(source, part, k, size=32) for part in pair)
    by_hand = d2ltl.linear_head("softmax").fit(codes, pair[0].labels)
    assert history.curve("test_acc") == [by_hand.score(test_codes, pair[1].labels)]
    assert np.allclose(d2ltl.predict(net, stripes, size=32)[0], by_hand.predict_proba(test_codes), atol=1e-4)


def test_a_stage_that_the_source_model_does_not_have_is_refused(stripes, source):
    with pytest.raises(d2ltl.SettingsError, match="has 2 stages; 3 of them"):
        d2ltl.train_network("codes-softmax-3", source, data=d2ltl.load_images(stripes), **OPTIONS)


@pytest.mark.parametrize("name", ["mobilenet0.25", "squeezenet1.1", pytest.param("alexnet", marks=pytest.mark.full)])
def test_every_stage_of_a_network_of_the_zoo_has_codes(name):
    """Feature maps, and the dense layers of AlexNet; the output of SqueezeNet is a convolution."""
    source = d2ltl.scratch_net(5, name)
    source(mx.nd.zeros((1, 3, 224, 224)))
    for k in range(1, len(stages(source)) + 1):
        assert d2ltl.early_net(3, source, k)(mx.nd.zeros((1, 3, 224, 224))).shape == (1, 3)


def test_a_student_is_described_by_its_name():
    assert STUDENT in STRATEGIES["distilled"].description


@pytest.mark.parametrize("name", ["finetune", "lp-ft", "codes-svm", "codes-softmax", "codes-softmax-1", "distilled"])
def test_with_balance_nothing_changes_where_the_classes_are_balanced(stripes, source, name):
    pair = d2ltl.load_images(stripes)
    plain, balanced = (d2ltl.train_network(name, source, data=pair, balance=b, **OPTIONS)[1] for b in (False, True))
    assert balanced.curve("loss") == pytest.approx(plain.curve("loss"), rel=1e-3)


@pytest.mark.parametrize("name", ["finetune", "lp-ft", "codes-svm", "codes-softmax", "codes-softmax-1"])
def test_with_balance_a_rare_class_is_answered_more_often(stripes, source, name):
    train, test = d2ltl.load_images(stripes)
    pair = d2ltl.imbalanced(train, 7, "upright"), test
    plain, balanced = (
        d2ltl.predict(d2ltl.train_network(name, source, data=pair, balance=b, **OPTIONS)[0], test, size=32)[0]
        for b in (False, True)
    )
    assert balanced[:, 1].mean() > plain[:, 1].mean()


@pytest.mark.parametrize(("net", "rate"), [("resnet18_v2", 0.01), ("efficientnet_lite0", 0.001)])
def test_the_default_rates_are_those_of_the_source_model(net, rate):
    assert Rates.of(net) == Rates(lr_finetune=rate)


def test_the_teacher_is_the_network_that_finetune_trains(stripes, source, monkeypatch):
    teachers = []
    monkeypatch.setattr(
        "d2ltl.comparison.strategies.distill", lambda student, teacher, *_, **__: teachers.append(teacher)
    )
    pair = d2ltl.load_images(stripes)
    d2ltl.train_network("distilled", source, data=pair, **OPTIONS)
    net, _ = d2ltl.train_network("finetune", source, data=pair, **OPTIONS)
    assert all(map(np.array_equal, values(teachers[0]).values(), values(net).values()))


def test_a_student_may_be_watched_and_stopped_like_any_network(stripes, source, tmp_path):
    seen = []
    options = {"checkpoint": str(tmp_path / "run"), "callbacks": [lambda history: seen.append(len(history))]}
    d2ltl.train_network("distilled", source, data=stripes, **options, **OPTIONS)
    assert seen == [1, 2]
    assert [file.name for file in tmp_path.iterdir()] == ["run"]


def test_the_documentation_describes_each_strategy_as_the_report_does():
    for name, strategy in STRATEGIES.items():
        row = next(line for line in d2ltl.find_strategy.__doc__.splitlines() if f"``{name}``" in line)
        assert strategy.description in row.replace("`", "")


def test_a_network_may_be_changed_before_it_is_trained(stripes, source):
    def freeze(net):
        d2ltl.freeze_stages(net, 1)

    net, _ = d2ltl.train_network("finetune", source, data=d2ltl.load_images(stripes), change=freeze, **OPTIONS)
    assert np.array_equal(net.features[0].weight.data().asnumpy(), source.features[0].weight.data().asnumpy())


@pytest.mark.parametrize("name", ["magic", "freeze-0", "freeze-", "codes", "codes-softmax-0", "codes-softmax-"])
def test_an_unknown_strategy_is_refused_with_the_known_ones(name):
    with pytest.raises(
        d2ltl.SettingsError, match=f"no strategy '{name}'; choose from finetune, scratch, .*freeze-1.*codes-softmax-1"
    ):
        d2ltl.find_strategy(name)
