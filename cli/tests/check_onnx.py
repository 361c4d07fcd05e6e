# Compares an exported model in onnxruntime with what `ktrdr models predict` wrote for the same bars.
#
# usage: python3 check_onnx.py MODEL.onnx FEATURES.csv PREDICTIONS.csv     (needs onnxruntime and numpy)
#
# FEATURES.csv is what `ktrdr strategies features STRATEGY --bars … --out FEATURES.csv` writes: columns before scaling. Prints the number of
# rows and the largest difference; ends with 1 if it is above 1e-5, or if a prediction has no row.
import csv
import sys

import numpy
import onnxruntime

LARGEST_DIFFERENCE = 1e-5


def read(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def windows(session, names, rows):
    """One input for each row with enough rows before it, by the time of that row."""
    values = numpy.array([[float(row[name] or "nan") for name in names] for row in rows])
    shape = session.get_inputs()[0].shape
    length = shape[1] if len(shape) == 3 else 1
    for last in range(length - 1, len(rows)):
        window = values[last - length + 1 : last + 1]
        if numpy.isfinite(window).all():
            yield rows[last]["timestamp"], window if len(shape) == 3 else window[0]


def main(model, features, predictions):
    session = onnxruntime.InferenceSession(model)
    facts = session.get_modelmeta().custom_metadata_map
    names = facts["features"].split(",")
    inputs = dict(windows(session, names, read(features)))

    expected = read(predictions)
    outputs = [f"p_{name.lower()}" for name in facts["classes"].split(",")] if "classes" in facts else ["forward_return"]
    batch = numpy.array([inputs[row["timestamp"]] for row in expected])
    answers = session.run(None, {"features": batch})[0]
    truth = numpy.array([[float(row[name]) for name in outputs] for row in expected])

    difference = float(numpy.abs(answers - truth).max())
    print(f"{len(expected)} rows, largest difference {difference:.1e}")
    return 0 if difference <= LARGEST_DIFFERENCE else 1


sys.exit(main(*sys.argv[1:]))
