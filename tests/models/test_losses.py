import math

import pytest
import tensorflow as tf

from models import losses

NAN = math.nan


def test_cross_entropy_of_a_logit_is_the_negative_log_likelihood():
    found = losses.binary_cross_entropy(tf.constant([1.0, 0.0]), tf.constant([0.0, 2.0])).numpy()
    assert found == pytest.approx([math.log(2), 2 + math.log(1 + math.exp(-2))])


def test_squared_error_per_example():
    assert losses.squared_error(tf.constant([1.0, -1.0]), tf.constant([3.0, -1.5])).numpy() == pytest.approx([4, 0.25])


def test_masked_mean_divides_by_the_weight_of_what_is_present():
    per_example = tf.constant([1.0, 100.0, 4.0])
    present = tf.constant([True, False, True])
    assert losses.masked_mean(per_example, present).numpy() == pytest.approx(2.5)
    weighted = losses.masked_mean(per_example, present, tf.constant([3.0, 7.0, 1.0]))
    assert weighted.numpy() == pytest.approx((3 * 1 + 1 * 4) / 4)


def test_masked_mean_without_any_label_is_zero():
    assert losses.masked_mean(tf.constant([NAN, 2.0]), tf.constant([False, False])).numpy() == 0.0


def test_no_gradient_flows_through_an_absent_label():
    outputs = tf.Variable([0.5, 0.5])
    with tf.GradientTape() as tape:
        labels, present = losses.split_absent(tf.constant([NAN, 1.5]))
        loss = losses.masked_mean(losses.squared_error(labels, outputs), present)
    assert loss.numpy() == pytest.approx(1.0)
    assert tape.gradient(loss, outputs).numpy() == pytest.approx([0.0, -2.0])
