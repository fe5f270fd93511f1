from . import plots as plots
from .class_rows import (
    HOT_DOG as HOT_DOG,
)
from .class_rows import (
    PHOTOCOPIER as PHOTOCOPIER,
)
from .class_rows import (
    ClassRow as ClassRow,
)
from .class_rows import (
    class_rows as class_rows,
)
from .class_rows import (
    first_epoch as first_epoch,
)
from .class_rows import (
    imagenet_net as imagenet_net,
)
from .class_rows import (
    start_from_row as start_from_row,
)
from .sweeps import (
    Tuning as Tuning,
)
from .sweeps import (
    best_settings as best_settings,
)
from .sweeps import (
    features_by_mode as features_by_mode,
)
from .sweeps import (
    frozen_features as frozen_features,
)
from .sweeps import (
    learning_curve as learning_curve,
)
from .sweeps import (
    lr_sweep as lr_sweep,
)
from .sweeps import (
    mean_accuracy as mean_accuracy,
)
from .sweeps import (
    tune as tune,
)
from .trials import Trial as Trial
from .trials import run_trial as run_trial
