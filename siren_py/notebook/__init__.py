"""What notebooks show of the objects of siren_py: pictures and tables as HTML.

Each page stands by itself: pictures are in it, nothing is loaded from elsewhere. What cannot be
drawn, for want of matplotlib or because a user's own class fails, is replaced by words; a summary
never raises.
"""

from __future__ import annotations
