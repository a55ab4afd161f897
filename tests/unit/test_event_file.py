"""What TensorBoard's own reader finds in the event file of a training."""

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from swsr.training.event_file import EventFile


def rows(epochs):
    return [
        {
            "epoch": epoch,
            "learning_rate": 1e-3 / epoch,
            "train_loss": 1 / epoch,
            "validation_mse": 2 / epoch,
            "validation_psnr": 30.0 + epoch,
            "validation_ssim": 0.9,
            "seconds": 1.5,
        }
        for epoch in range(1, epochs + 1)
    ]


def read(folder, tag):
    events = EventAccumulator(str(folder)).Reload()
    return [(event.step, event.value) for event in events.Scalars(tag)]


def test_a_point_per_epoch(tmp_path):
    file = EventFile(tmp_path)
    file.write(rows(1))
    file.write(rows(3))
    assert read(tmp_path, "psnr_db/validation") == [(1, 31.0), (2, 32.0), (3, 33.0)]
    assert read(tmp_path, "loss/train")[:2] == [(1, 1.0), (2, 0.5)]


def test_a_resumed_training_shows_each_epoch_once(tmp_path):
    EventFile(tmp_path).write(rows(2))
    EventFile(tmp_path).write(rows(4))
    assert [step for step, _ in read(tmp_path, "mse/validation")] == [1, 2, 3, 4]


def test_what_reports_nothing_leaves_no_file(tmp_path):
    EventFile(tmp_path / "events")
    assert not list(tmp_path.iterdir())
