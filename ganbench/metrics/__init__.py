"""Metrics, one file each: numbers that compare generated with real examples.

Every metric is also computed of real examples, `draws` times: what a perfect generator would score.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from ganbench.core.metric_info import MetricInfo
from ganbench.core.tree import Tree
from ganbench.data import DataSpec
from ganbench.judges import JudgedExamples


class Metric(ABC):
    """A metric has `columns`, {name: MetricInfo}, and score(), which returns a real number within its bounds for each
    of them, the same at every call, and changes none of its arguments; what it knows of real examples is a tree of
    arrays and numbers, which reference() returns and a file can hold.

    Other metrics read the same arguments. A subclass is a frozen dataclass whose fields are its options, `max_examples`
    among them if it can be chosen; None is no limit.

    Attributes:
        columns: the numbers that `score` returns, by names that no other metric and no table has.
        cost: one sentence on the work of `score` and of `reference`: how it grows with the number of generated
            examples M, of real ones N, and of features F.
        draws: number of times that its null scores real examples; each takes three references, so fewer where they are
            expensive. The interval of one more draw is 9% wider after 20 draws than after infinitely many, and 55%
            wider after 5; more where they are parts of less held-out examples than all of them together. 2 or more.
        proportional: whether its columns, which are positive, grow in proportion to the number of examples; otherwise
            they differ from those of infinitely many by the order of one over that number.
        pretrained: whether it needs the Inception weights, which a study fetches before it; such a metric is too slow
            to be tried on a study before it runs. A literal, since it is read from the source.
    """

    columns: ClassVar[dict[str, MetricInfo]]
    cost: ClassVar[str] = ""
    draws: ClassVar[int] = 20
    max_examples: ClassVar[int | None] = None
    """Largest number of examples that it looks at, real and generated ones each; of more, as many that stand evenly
    spaced."""
    proportional: ClassVar[bool] = False
    pretrained: ClassVar[bool] = False

    @property
    def fewest(self) -> int:
        """The smallest number of examples, generated or real, of which the metric can be computed."""
        return 2

    def unsupported(self, data: DataSpec) -> str | None:
        """Whether the metric is defined for a data set; where it is not, it is left out.

        Args:
            data: the data set as its judge knows it: with 0 modes if it has no labels or the judge tells none apart.

        Returns:
            None if it is; otherwise a sentence that names the data sets it is defined for.
        """
        return None

    def caution(self, samples: int, real: int, features: int) -> str | None:
        """What a reader must know of scores of these sizes.

        Args:
            samples: number of generated examples.
            real: number of real training examples that they are compared with.
            features: number of features of the data set's judge.

        Returns:
            None if nothing limits them; otherwise a clause, such as "2,000 samples are fewer than ...".
        """
        return None

    @abstractmethod
    def reference(self, real: JudgedExamples, heldout: JudgedExamples) -> Tree:
        """What the metric needs to know of the real examples, computed once for a data set and stored.

        Args:
            real: the judged training examples, which generated ones are compared with; `fewest` of them or more.
            heldout: the judged held-out examples, `fewest` of them or more: for a metric that must tell examples that a
                generator was trained on from others of the same distribution.

        Returns:
            NumPy arrays and numbers, in dicts with text as keys. It is passed to `score` as it is, or as a file gave
            it back, which makes no difference.
        """

    @abstractmethod
    def score(self, generated: JudgedExamples, reference: Tree) -> dict[str, float]:
        """The metric of generated examples.

        Args:
            generated: the judged examples of a generator, all finite; `fewest` of them or more. A perfect generator is
                imitated by held-out examples, which may be those of the reference: a metric that compares with held-out
                examples leaves out of the comparison the one that an example is itself.
            reference: the result of `reference` for the real examples.

        Returns:
            A value for each of `columns`, within its bounds. A quantity that does not exist has a value of its own,
            such as -1 for no dominant mode; infinity stands for one that is too large.
        """
