import hashlib
import os
import shutil

import mxnet as mx
import numpy
import pytest

import data_hub


@pytest.fixture
def hub(stripes, tmp_path, monkeypatch):
    """A hub whose 'hotdog' is the synthetic images, in an archive on this machine."""
    root = shutil.copytree(stripes, tmp_path / "hotdog")
    archive = shutil.make_archive(str(tmp_path / "archives/hotdog"), "zip", root.parent, root.name)
    with open(archive, "rb") as file:
        sha1 = hashlib.sha1(file.read()).hexdigest()
    monkeypatch.setenv("D2LTL_DATA", str(tmp_path / "cache"))
    monkeypatch.setenv("D2LTL_MIRRORS", os.path.dirname(archive))
    monkeypatch.setitem(data_hub.DATA_HUB, "hotdog", ("http://127.0.0.1:9/hotdog.zip", sha1))


def test_the_chapter_runs_call_by_call(hub, capsys):
    from mxnet import gluon, init, npx

    from d2ltl import book as d2l

    npx.set_np()

    data_dir = d2l.download_extract("hotdog")
    train_imgs = gluon.data.vision.ImageFolderDataset(os.path.join(data_dir, "train"))
    test_imgs = gluon.data.vision.ImageFolderDataset(os.path.join(data_dir, "test"))

    hotdogs = [train_imgs[i][0] for i in range(8)]
    not_hotdogs = [train_imgs[-i - 1][0] for i in range(8)]
    assert len(d2l.show_images(hotdogs + not_hotdogs, 2, 8, scale=1.4)) == 16

    normalize = gluon.data.vision.transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
    train_augs = gluon.data.vision.transforms.Compose(
        [
            gluon.data.vision.transforms.RandomResizedCrop(32),
            gluon.data.vision.transforms.RandomFlipLeftRight(),
            gluon.data.vision.transforms.ToTensor(),
            normalize,
        ]
    )
    test_augs = gluon.data.vision.transforms.Compose(
        [
            gluon.data.vision.transforms.Resize(36),
            gluon.data.vision.transforms.CenterCrop(32),
            gluon.data.vision.transforms.ToTensor(),
            normalize,
        ]
    )

    pretrained_net = gluon.model_zoo.vision.resnet18_v2()  # pretrained=True in the book
    pretrained_net.initialize(init.Xavier())

    finetune_net = gluon.model_zoo.vision.resnet18_v2(classes=2)
    finetune_net.features = pretrained_net.features
    finetune_net.output.initialize(init.Xavier())
    finetune_net.output.collect_params().setattr("lr_mult", 10)

    def train_fine_tuning(net, learning_rate, batch_size=16, num_epochs=2):
        train_iter = gluon.data.DataLoader(train_imgs.transform_first(train_augs), batch_size, shuffle=True)
        test_iter = gluon.data.DataLoader(test_imgs.transform_first(test_augs), batch_size)
        devices = d2l.try_all_gpus()
        net.collect_params().reset_ctx(devices)
        net.hybridize()
        loss = gluon.loss.SoftmaxCrossEntropyLoss()
        trainer = gluon.Trainer(net.collect_params(), "sgd", {"learning_rate": learning_rate, "wd": 0.001})
        return d2l.train_ch13(net, train_iter, test_iter, loss, trainer, num_epochs, devices)

    history = train_fine_tuning(finetune_net, 0.002)
    assert len(history) == 2
    assert capsys.readouterr().out.endswith(f"{history}\n")

    finetune_net.features.collect_params().setattr("grad_req", "null")
    weight = pretrained_net.output.weight
    pretrained_net(mx.np.zeros((1, 3, 32, 32)))
    hotdog_w = mx.np.split(weight.data(), 1000, axis=0)[713]
    assert hotdog_w.shape == (1, 512)


def test_the_names_of_the_hub_are_the_hubs():
    from d2ltl import book as d2l

    assert d2l.DATA_HUB is data_hub.DATA_HUB
    assert d2l.DATA_HUB["hotdog"] == (d2l.DATA_URL + "hotdog.zip", "fba480ffa8aa7e0febbb511d181409f899b9baa5")


def test_devices_without_a_gpu():
    from d2ltl import book as d2l

    if mx.context.num_gpus() == 0:
        assert d2l.try_all_gpus() == [mx.cpu()]
        assert d2l.try_gpu() == mx.cpu()
    assert d2l.try_gpu(63) == mx.cpu()


def test_labels_and_images_may_be_loaded_by_workers(stripes):
    from d2ltl import book as d2l

    dataset = mx.gluon.data.ArrayDataset(mx.nd.random.normal(shape=(8, 3, 32, 32)), mx.nd.array(numpy.arange(8) % 2))
    batches = mx.gluon.data.DataLoader(dataset, 4, num_workers=1, thread_pool=True)
    net = mx.gluon.model_zoo.vision.mobilenet0_25(classes=2)
    net.initialize()
    net.hybridize()
    trainer = mx.gluon.Trainer(net.collect_params(), "sgd", {"learning_rate": 0.01})
    history = d2l.train_ch13(net, batches, batches, mx.gluon.loss.SoftmaxCrossEntropyLoss(), trainer, 1)
    assert history.epochs[0].examples_per_s > 0
