from lava_qsnn.engines._fast import run_fast as run_fast
from lava_qsnn.engines._forms import Currents as Currents
from lava_qsnn.engines._forms import Form as Form
from lava_qsnn.engines._forms import form as form
from lava_qsnn.engines._kernels import Kernel as Kernel
from lava_qsnn.engines._kernels import kernel as kernel
from lava_qsnn.engines._stored import StoredPotential as StoredPotential
