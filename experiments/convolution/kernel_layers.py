"""Convolution layers that kernels are compared on, from the networks and papers named."""

from hardware_sim.kernels import Problem

NETWORKS = {
    name: Problem(channels, outputs, (size, size), (3, 3), padding=(1, 1))
    for name, channels, outputs, size in (
        ("vgg1.2", 64, 64, 224),
        ("vgg3.2", 256, 256, 56),
        ("vgg4.2", 512, 512, 28),
        ("vgg5.1", 512, 512, 14),
        ("res2", 64, 64, 56),
        ("res3", 128, 128, 28),
        ("res4", 256, 256, 14),
        ("res5", 512, 512, 7),
        ("alex3", 192, 384, 13),
        ("alex5", 256, 256, 13),
        ("over3", 256, 512, 12),
        ("over4", 512, 1024, 12),
    )
}
"""3x3 layers of VGG-16, ResNet-18, AlexNet (the one-column version) and OverFeat, batch 1."""

MEC = {
    f"cv{number}": Problem(channels, outputs, (size, size), (kernel, kernel), stride=(stride,))
    for number, size, channels, kernel, outputs, stride in (
        (1, 227, 3, 11, 96, 4),
        (2, 231, 3, 11, 96, 4),
        (3, 227, 3, 7, 64, 2),
        (4, 224, 64, 7, 64, 2),
        (5, 24, 96, 5, 256, 1),
        (6, 12, 256, 3, 512, 1),
        (7, 224, 3, 3, 64, 1),
        (8, 112, 64, 3, 128, 1),
        (9, 56, 64, 3, 64, 1),
        (10, 28, 128, 3, 128, 1),
        (11, 14, 256, 3, 256, 1),
        (12, 7, 512, 3, 512, 1),
    )
}
"""The layers of Cho and Brand 2017 (arXiv 1706.06873, table 2)."""

VOLUMES = {
    "c3d.2a": Problem(64, 128, (16, 56, 56), (3, 3, 3), padding=(1,)),
    "c3d.3b": Problem(256, 256, (8, 28, 28), (3, 3, 3), padding=(1,)),
    "c3d.4b": Problem(512, 512, (4, 14, 14), (3, 3, 3), padding=(1,)),
    "c3d.5a": Problem(512, 512, (2, 7, 7), (3, 3, 3), padding=(1,)),
}
"""Layers of C3D (Tran et al. 2015, arXiv 1412.0767, figure 3), batch 1."""
