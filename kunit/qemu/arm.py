# SPDX-License-Identifier: GPL-2.0-only
# 32-bit ARM with more memory than lowmem
from ..qemu_config import QemuArchParams

QEMU_ARCH = QemuArchParams(linux_arch='arm',
			   kconfig='''
CONFIG_ARCH_VIRT=y
CONFIG_SERIAL_AMBA_PL011=y
CONFIG_SERIAL_AMBA_PL011_CONSOLE=y''',
			   qemu_arch='arm',
			   kernel_path='arch/arm/boot/zImage',
			   kernel_command_line='console=ttyAMA0 maxcpus=2 slab_debug=U,page->ptl',
			   extra_qemu_params=['-machine', 'virt', '-cpu', 'cortex-a15',
					      '-smp', '4', '-m', '2048'])
