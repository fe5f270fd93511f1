import numpy as np

from d2ltl.evaluation import confusion_matrix


def test_the_rows_of_a_confusion_matrix_are_the_true_classes():
    probabilities = np.array([[0.9, 0.1, 0], [0.2, 0.8, 0], [0.3, 0.7, 0]])
    assert confusion_matrix(probabilities, np.array([0, 1, 0])).tolist() == [[1, 1, 0], [0, 1, 0], [0, 0, 0]]
