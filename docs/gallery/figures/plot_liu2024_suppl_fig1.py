"""
liu2024-suppl-fig1
==================

Limits on the mixing of an N that decays by its dipole.

The full version: ``siren-py reproduce liu2024-suppl-fig1 --output liu2024-suppl-fig1``.
"""

from __future__ import annotations

from gallery_pages import reproduction_page

from siren_py.reproduction import find_reproduction

module = find_reproduction("liu2024-suppl-fig1")
print(module.TITLE)
print(module.CITATION)
result = reproduction_page("liu2024-suppl-fig1")
assert result.ok

# %%
# What a reader of the numbers has to know:

for note in result.notes:
    print("-", note)
