"""Compact feature maps by circulant projection (Wang, Xu, Xu, Tao, ICML 2017)."""
