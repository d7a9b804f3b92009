# SPDX-License-Identifier: GPL-2.0-only
# ppc64le on a POWER8, which has the hash MMU; 16 MB pages for THP
from ..qemu_config import QemuArchParams

QEMU_ARCH = QemuArchParams(linux_arch='powerpc',
			   kconfig='''
CONFIG_PPC64=y
CONFIG_CPU_LITTLE_ENDIAN=y
CONFIG_HVC_CONSOLE=y''',
			   qemu_arch='ppc64',
			   kernel_path='vmlinux',
			   kernel_command_line='console=ttyS0 maxcpus=2 slab_debug=U,page->ptl',
			   extra_qemu_params=['-M', 'pseries,cap-hpt-max-page-size=16m',
					      '-cpu', 'power8',
					      '-smp', '4', '-m', '2048'])
