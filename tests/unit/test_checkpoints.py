import pytest
import torch
from safetensors import SafetensorError
from safetensors.torch import save_file

from swsr.checkpoint import Card, Checkpoints, Progress, load_network, save_network
from swsr.networks.build import build_network


def card(network="skip_2d"):
    return Card(
        network=network, variables=("vorticity",), units=("s-1",), scale=2,
        scaling_minimum=(-1.5e-4,), scaling_maximum=(2.5e-4,), spacing={},
        settings={"seed": 0}, version={"version": "0"}, inputs={},
    )  # fmt: skip


@pytest.fixture
def saved(tmp_path):
    network = build_network("skip_2d", 1, 2)
    save_network(tmp_path / "network.safetensors", network, card())
    return tmp_path / "network.safetensors", network


def test_network_comes_back_with_its_card(saved):
    path, network = saved
    loaded, its_card = load_network(path, "2d")
    assert its_card == card()
    for name, tensor in network.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], tensor)


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (lambda content: content[: len(content) // 2], "truncated or not safetensors"),
        (lambda content: b"", "truncated or not safetensors"),
        (lambda content: content[:-4] + b"\x00\x01\x02\x03", "damaged"),
        (lambda content: b"weights", "truncated or not safetensors"),
    ],
)
def test_damaged_network_is_refused(saved, damage, sentence):
    path, _ = saved
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(ValueError, match=sentence) as error:
        load_network(path, "2d")
    assert str(path) in str(error.value)


def test_network_of_another_dimension_is_refused(saved):
    with pytest.raises(ValueError, match="holds skip_2d, but a 3d network is needed"):
        load_network(saved[0], "3d")


def test_a_disk_that_fills_leaves_the_network_before_and_no_other_file(saved, monkeypatch):
    path, network = saved
    whole = path.read_bytes()

    def save_half(tensors, filename, metadata):
        filename.write_bytes(whole[: len(whole) // 2])
        raise SafetensorError("No space left on device")

    monkeypatch.setattr("swsr.checkpoint.save_file", save_half)
    with pytest.raises(OSError, match=r"network\.safetensors: cannot be written: No space left"):
        save_network(path, network, card())
    assert list(path.parent.iterdir()) == [path]
    assert load_network(path, "2d")[1] == card()


def test_foreign_safetensors_are_refused(tmp_path):
    save_file({"a": torch.zeros(1)}, tmp_path / "a.safetensors")
    with pytest.raises(ValueError, match="not written by swsr"):
        load_network(tmp_path / "a.safetensors", "2d")


def test_weights_that_do_not_fit_their_card_are_refused(tmp_path):
    save_network(tmp_path / "a.safetensors", build_network("skip_2d", 2, 2), card())
    with pytest.raises(ValueError, match="do not fit skip_2d"):
        load_network(tmp_path / "a.safetensors", "2d")


def trained(folder, identity="ours", epochs=3):
    network = build_network("skip_2d", 1, 2)
    optimizer = torch.optim.Adam(network.parameters())
    checkpoints = Checkpoints(folder, identity)
    for epoch in range(1, epochs + 1):
        network(torch.rand(1, 1, 20, 20)).sum().backward()
        optimizer.step()
        checkpoints.save(network, optimizer, Progress(epoch, [{"epoch": epoch}]))
    return checkpoints, network, optimizer


def test_newest_two_checkpoints_are_kept_and_the_newest_is_found(tmp_path):
    checkpoints, *_ = trained(tmp_path)
    assert [path.name for path in sorted((tmp_path / "ours").iterdir())] == [
        "epoch_00002.safetensors",
        "epoch_00003.safetensors",
    ]
    assert checkpoints.find() == (tmp_path / "ours" / "epoch_00003.safetensors", [])


def test_state_comes_back_whole(tmp_path):
    checkpoints, network, optimizer = trained(tmp_path)
    other = build_network("skip_2d", 1, 2)
    other_optimizer = torch.optim.Adam(other.parameters())
    path, _ = checkpoints.find()
    assert checkpoints.load(path, other, other_optimizer) == Progress(3, [{"epoch": 3}])
    for ours, theirs in zip(network.parameters(), other.parameters(), strict=True):
        assert torch.equal(ours, theirs)
    ours, theirs = optimizer.state_dict()["state"], other_optimizer.state_dict()["state"]
    assert ours.keys() == theirs.keys()
    for index in ours:
        for key in ours[index]:
            assert torch.equal(ours[index][key], theirs[index][key])


def test_truncated_newest_checkpoint_loses_one_epoch(tmp_path):
    checkpoints, *_ = trained(tmp_path)
    newest = tmp_path / "ours" / "epoch_00003.safetensors"
    newest.write_bytes(newest.read_bytes()[:1000])
    path, passed_over = checkpoints.find()
    assert path == tmp_path / "ours" / "epoch_00002.safetensors"
    assert "epoch_00003" in passed_over[0]


def test_checkpoints_of_another_training_are_left_alone(tmp_path):
    """Also one that has come further: neither resumed, nor a reason to drop ours."""
    theirs, *_ = trained(tmp_path, identity="theirs", epochs=5)
    ours = Checkpoints(tmp_path, "ours")
    found, [passed_over] = ours.find()
    assert found is None
    assert "theirs: checkpoints of other settings, data or code" in passed_over
    trained(tmp_path, identity="ours", epochs=2)
    assert ours.find()[0] == tmp_path / "ours" / "epoch_00002.safetensors"
    assert theirs.find()[0] == tmp_path / "theirs" / "epoch_00005.safetensors"


def test_equal_networks_give_equal_files(saved, tmp_path):
    path, network = saved
    for number in range(8):  # safetensors hashes its metadata anew each time
        save_network(tmp_path / f"{number}.safetensors", network, card())
        assert (tmp_path / f"{number}.safetensors").read_bytes() == path.read_bytes()
