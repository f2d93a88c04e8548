"""
arguelles2021-fig2
==================

Limits on the mixing with and without a dipole.

The full version: ``siren-py reproduce arguelles2021-fig2 --output arguelles2021-fig2``.
"""

from __future__ import annotations

from gallery_pages import reproduction_page

from siren_py.reproduction import find_reproduction

module = find_reproduction("arguelles2021-fig2")
print(module.TITLE)
print(module.CITATION)
result = reproduction_page("arguelles2021-fig2")
assert result.ok

# %%
# What a reader of the numbers has to know:

for note in result.notes:
    print("-", note)
