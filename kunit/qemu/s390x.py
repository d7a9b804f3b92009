# SPDX-License-Identifier: GPL-2.0-only
# s390x; QEMU's TCG has no EDAT, so no huge pages at run time
from ..qemu_config import QemuArchParams

QEMU_ARCH = QemuArchParams(linux_arch='s390',
			   kconfig='''
CONFIG_EXPERT=y
CONFIG_TUNE_ZEC12=y
CONFIG_NUMA=y''',
			   qemu_arch='s390x',
			   kernel_path='arch/s390/boot/bzImage',
			   kernel_command_line='console=ttyS0 maxcpus=2 slab_debug=U,page->ptl',
			   extra_qemu_params=['-machine', 's390-ccw-virtio', '-cpu', 'qemu',
					      '-smp', '4', '-m', '2048'])
