"""
liu2024-fig2
============

Where N are made and where they decay, in two views.

The full version: ``siren-py reproduce liu2024-fig2 --output liu2024-fig2``.
"""

from __future__ import annotations

from gallery_pages import reproduction_page

from siren_py.reproduction import find_reproduction

module = find_reproduction("liu2024-fig2")
print(module.TITLE)
print(module.CITATION)
result = reproduction_page("liu2024-fig2")
assert result.ok

# %%
# What a reader of the numbers has to know:

for note in result.notes:
    print("-", note)
