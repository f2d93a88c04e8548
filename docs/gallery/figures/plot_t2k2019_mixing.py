"""
t2k2019-mixing
==============

The search of T2K for N from kaons: decays in the TPCs, limits on mixings.

The full version: ``siren-py reproduce t2k2019-mixing --output t2k2019-mixing``.
"""

from __future__ import annotations

from gallery_pages import reproduction_page

from siren_py.reproduction import find_reproduction

module = find_reproduction("t2k2019-mixing")
print(module.TITLE)
print(module.CITATION)
result = reproduction_page("t2k2019-mixing")
assert result.ok

# %%
# What a reader of the numbers has to know:

for note in result.notes:
    print("-", note)
