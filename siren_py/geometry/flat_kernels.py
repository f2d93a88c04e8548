"""Kernels of solids with flat faces: convex polyhedra, extruded polygons and triangle meshes.

The origin of the line is its point nearest to the centre of the solid (`rows` sees to that).
"""

from __future__ import annotations

import math

from siren_py._numba import kernel
from siren_py._typing import FloatArray
from siren_py.geometry.kernels import append_interval, half_space_interval

# Floats per face of a convex polyhedron: n . x <= d.
FACE = 4
# Floats per section of an extruded polygon: w, offset u, offset v, scale.
EXTRUSION_SECTION = 4
# Floats per edge of its polygon: u, v of the start, u, v of the end.
EDGE = 4
# Floats per node of a mesh: box lo, box hi, node to go on with when it is missed, first
# triangle of a leaf or -1, number of triangles.
MESH_NODE = 9
# Floats per triangle: three corners.
TRIANGLE = 9

# Below this sine of the angle between the line and the rays from the tip of a tapered section
# the line runs through the tip: its image in the plane of the polygon is a point.
_THROUGH_TIP = 1e-13
_TINY = 1e-300


@kernel
def convex_interval(
    data: FloatArray,
    first: int,
    count: int,
    ou: float,
    ov: float,
    ow: float,
    du: float,
    dv: float,
    dw: float,
) -> tuple[float, float]:
    """Interval of a line in an intersection of half spaces."""
    t_in = -math.inf
    t_out = math.inf
    for i in range(count):
        at = first + FACE * i
        nu = data[at]
        nv = data[at + 1]
        nw = data[at + 2]
        # Of two opposite faces the lower one belongs to the solid, as for a box.
        lower = nu < 0.0 or (nu == 0.0 and (nv < 0.0 or (nv == 0.0 and nw < 0.0)))
        depth = data[at + 3] - nu * ou - nv * ov - nw * ow
        t_in, t_out = half_space_interval(depth, -nu * du - nv * dv - nw * dw, t_in, t_out, lower)
        if not t_in < t_out:
            return 0.0, -1.0
    return t_in, t_out


@kernel
def convex_contains(data: FloatArray, first: int, count: int, u: float, v: float, w: float) -> bool:
    """Say whether a point is in an intersection of half spaces."""
    for i in range(count):
        at = first + FACE * i
        nu = data[at]
        nv = data[at + 1]
        nw = data[at + 2]
        lower = nu < 0.0 or (nu == 0.0 and (nv < 0.0 or (nv == 0.0 and nw < 0.0)))
        depth = data[at + 3] - nu * u - nv * v - nw * w
        if depth < 0.0 or (depth == 0.0 and not lower):
            return False
    return True


@kernel
def polygon_contains(data: FloatArray, first: int, count: int, u: float, v: float) -> bool:
    """Say whether a point is in a polygon of `count` edges: crossings of a ray along u."""
    inside = False
    for i in range(count):
        at = first + EDGE * i
        pv = data[at + 1]
        qv = data[at + 3]
        if (pv > v) != (qv > v):
            part = (v - pv) / (qv - pv)
            if u < data[at] + part * (data[at + 2] - data[at]):
                inside = not inside
    return inside


@kernel
def extrusion_intervals(
    data: FloatArray,
    first: int,
    sections: int,
    edges: int,
    size: float,
    ou: float,
    ov: float,
    ow: float,
    du: float,
    dv: float,
    dw: float,
    out: FloatArray,
) -> int:
    """Intervals of a line in a polygon that is extruded, shifted and scaled along w.

    Between two sections the point ((u, v) - offset(w)) / scale(w) moves along a straight line
    in the plane of the polygon. On which side of that line each corner is, is decided once per
    corner, so that the number of crossed edges is even whatever rounding does. The walls are
    flat, so the crossing of one is linear in t. `size` is the largest coordinate of a corner.
    """
    first_edge = first + EXTRUSION_SECTION * sections
    pieces = 0
    for i in range(sections - 1):
        at = first + EXTRUSION_SECTION * (i if dw >= 0.0 else sections - 2 - i)
        w_low = data[at]
        height = data[at + 4] - w_low
        if height <= 0.0:
            continue
        if dw != 0.0:
            near = (w_low - ow) / dw
            far = (w_low + height - ow) / dw
            t_in = min(near, far)
            t_out = max(near, far)
        elif w_low <= ow < w_low + height:
            t_in = -math.inf
            t_out = math.inf
        else:
            continue
        # N(t) = (u, v) - offset and S(t) = scale, both linear: value at t = 0, and slope
        slope = (data[at + 7] - data[at + 3]) / height
        S0 = data[at + 3] + slope * (ow - w_low)
        S1 = slope * dw
        slope_u = (data[at + 5] - data[at + 1]) / height
        slope_v = (data[at + 6] - data[at + 2]) / height
        U0 = ou - data[at + 1] - slope_u * (ow - w_low)
        V0 = ov - data[at + 2] - slope_v * (ow - w_low)
        U1 = du - slope_u * dw
        V1 = dv - slope_v * dw
        # the image line in homogeneous coordinates: lu u + lv v + l0 = 0
        lu = V0 * S1 - S0 * V1
        lv = S0 * U1 - U0 * S1
        l0 = U0 * V1 - V0 * U1
        at0 = math.sqrt(U0 * U0 + V0 * V0) + abs(S0) * size
        along = math.sqrt(U1 * U1 + V1 * V1) + abs(S1) * size
        if (abs(lu) + abs(lv)) * size + abs(l0) <= _THROUGH_TIP * at0 * along + _TINY:
            t = 0.0
            if dw != 0.0:
                t = 0.5 * (t_in + t_out)
            scale = S0 + t * S1
            if polygon_contains(
                data, first_edge, edges, (U0 + t * U1) / scale, (V0 + t * V1) / scale
            ):
                pieces = append_interval(out, pieces, t_in, t_out)
            continue
        if lv < 0.0 or (lv == 0.0 and lu < 0.0):
            lu, lv, l0 = -lu, -lv, -l0  # a line in a face does not depend on its sign
        # Crossings, sorted, behind the pieces that are done; the next piece may be one of them.
        base = 2 * pieces + 2
        found = 0
        for k in range(edges):
            edge = first_edge + EDGE * k
            pu = data[edge]
            pv = data[edge + 1]
            qu = data[edge + 2]
            qv = data[edge + 3]
            if (lu * pu + lv * pv + l0 > 0.0) == (lu * qu + lv * qv + l0 > 0.0):
                continue
            level = (pv - qv) * (U0 - S0 * pu) + (qu - pu) * (V0 - S0 * pv)
            climb = (pv - qv) * (U1 - S1 * pu) + (qu - pu) * (V1 - S1 * pv)
            # Where the image passes the corners: the crossing of an edge along the line is not
            # known better. (The image may also pass the edge at infinity, behind the tip.)
            if abs(lv) >= abs(lu):
                t_p = (pu * S0 - U0) / (U1 - pu * S1)
                t_q = (qu * S0 - U0) / (U1 - qu * S1)
            else:
                t_p = (pv * S0 - V0) / (V1 - pv * S1)
                t_q = (qv * S0 - V0) / (V1 - qv * S1)
            t = -level / climb if climb != 0.0 else math.inf
            if S0 + t_p * S1 > 0.0 and S0 + t_q * S1 > 0.0:
                t = min(max(t, min(t_p, t_q)), max(t_p, t_q))
            if S1 != 0.0 and S0 + t * S1 <= 0.0:
                continue  # on the far side of the tip
            j = found
            while j > 0 and out[base + j - 1] > t:
                out[base + j] = out[base + j - 1]
                j -= 1
            out[base + j] = t
            found += 1
        inside = False
        start = -math.inf
        if found % 2 == 1 and S1 < 0.0:
            inside = True  # comes from inside at infinity, where the taper is widest
        for j in range(found):
            t = out[base + j]
            if inside:
                pieces = append_interval(out, pieces, max(start, t_in), min(t, t_out))
            start = t
            inside = not inside
        if inside:
            pieces = append_interval(out, pieces, max(start, t_in), t_out)
    return pieces


@kernel
def extrusion_contains(
    data: FloatArray, first: int, sections: int, edges: int, u: float, v: float, w: float
) -> bool:
    """Say whether a point is in an extruded polygon."""
    for i in range(sections - 1):
        at = first + EXTRUSION_SECTION * i
        if data[at] <= w < data[at + 4]:
            part = (w - data[at]) / (data[at + 4] - data[at])
            offset_u = data[at + 1] + part * (data[at + 5] - data[at + 1])
            offset_v = data[at + 2] + part * (data[at + 6] - data[at + 2])
            scale = data[at + 3] + part * (data[at + 7] - data[at + 3])
            first_edge = first + EXTRUSION_SECTION * sections
            return polygon_contains(
                data, first_edge, edges, (u - offset_u) / scale, (v - offset_v) / scale
            )
    return False


@kernel
def _side(pu: float, pv: float, qu: float, qv: float) -> float:
    """On which side of the edge from p to q the origin is, never undecided for p != q.

    The origin is thought to be shifted by (eps, eps^2), so an edge or a corner that it lies on
    belongs to exactly one of the faces that share it.
    """
    side = qu * pv - qv * pu
    if side == 0.0:
        side = qv - pv
        if side == 0.0:
            side = pu - qu
    return side


@kernel
def mesh_intervals(
    data: FloatArray,
    first: int,
    nodes: int,
    ou: float,
    ov: float,
    ow: float,
    du: float,
    dv: float,
    dw: float,
    out: FloatArray,
) -> int:
    """Intervals of a line in a closed mesh of triangles.

    Watertight intersection of a line with triangles (Woop, Benthin and Wald, J. Comput. Graph.
    Tech. 2, 65 (2013)), in double precision: seen along the line, faces that share an edge
    decide with the same numbers on which side of it the line is, so entries and exits always
    match. Inside is where more faces were entered than left.
    """
    # The largest component of d becomes the third axis; the other two keep the orientation.
    au = abs(du)
    av = abs(dv)
    aw = abs(dw)
    k = 2
    if au >= av and au >= aw:
        k = 0
    elif av >= aw:
        k = 1
    i = (k + 1) % 3
    j = (k + 2) % 3
    dk = du
    di = dv
    dj = dw
    ok = ou
    oi = ov
    oj = ow
    if k == 1:
        dk, di, dj = dv, dw, du
        ok, oi, oj = ov, ow, ou
    elif k == 2:
        dk, di, dj = dw, du, dv
        ok, oi, oj = ow, ou, ov
    si = di / dk
    sj = dj / dk
    triangles = first + MESH_NODE * nodes
    iu = 1.0 / du if du != 0.0 else 1e300
    iv = 1.0 / dv if dv != 0.0 else 1e300
    iw = 1.0 / dw if dw != 0.0 else 1e300
    hits = 0
    node = 0
    while node < nodes:
        at = first + MESH_NODE * node
        a = (data[at] - ou) * iu
        b = (data[at + 3] - ou) * iu
        near = min(a, b)
        far = max(a, b)
        a = (data[at + 1] - ov) * iv
        b = (data[at + 4] - ov) * iv
        near = max(near, min(a, b))
        far = min(far, max(a, b))
        a = (data[at + 2] - ow) * iw
        b = (data[at + 5] - ow) * iw
        near = max(near, min(a, b))
        far = min(far, max(a, b))
        if near > far:
            node = int(data[at + 6])
            continue
        node += 1
        face = int(data[at + 7])
        if face < 0:
            continue
        for m in range(face, face + int(data[at + 8])):
            p = triangles + TRIANGLE * m
            ak = data[p + k] - ok
            bk = data[p + 3 + k] - ok
            ck = data[p + 6 + k] - ok
            ai = data[p + i] - oi - si * ak
            aj = data[p + j] - oj - sj * ak
            bi = data[p + 3 + i] - oi - si * bk
            bj = data[p + 3 + j] - oj - sj * bk
            ci = data[p + 6 + i] - oi - si * ck
            cj = data[p + 6 + j] - oj - sj * ck
            ab = _side(ai, aj, bi, bj)
            bc = _side(bi, bj, ci, cj)
            ca = _side(ci, cj, ai, aj)
            if not ((ab > 0.0 and bc > 0.0 and ca > 0.0) or (ab < 0.0 and bc < 0.0 and ca < 0.0)):
                continue
            wa = ci * bj - cj * bi
            wb = ai * cj - aj * ci
            wc = bi * aj - bj * ai
            total = wa + wb + wc
            if total == 0.0:
                # seen edge-on: all its points are hit, and its neighbour is hit at one of them
                t = min(ak, bk, ck) / dk
            else:
                t = (wa * ak + wb * bk + wc * ck) / (total * dk)
            if 2 * hits + 2 > out.shape[0]:
                return 0
            out[2 * hits] = t
            out[2 * hits + 1] = 1.0 if (ab > 0.0) == (dk > 0.0) else -1.0
            hits += 1
    for m in range(1, hits):
        t = out[2 * m]
        sign = out[2 * m + 1]
        n = m
        while n > 0 and out[2 * n - 2] > t:
            out[2 * n] = out[2 * n - 2]
            out[2 * n + 1] = out[2 * n - 1]
            n -= 1
        out[2 * n] = t
        out[2 * n + 1] = sign
    depth = 0
    count = 0
    start = 0.0
    for m in range(hits):
        before = depth
        t = out[2 * m]
        depth += 1 if out[2 * m + 1] > 0.0 else -1
        if before <= 0 and depth > 0:
            start = t
        elif before > 0 and depth <= 0:
            count = append_interval(out, count, start, t)
    return count
