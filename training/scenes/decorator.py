"""
The hand that furnishes a room: chooses, colours and places pieces without collisions.

Convention: wall 0 looks north (+y), the others follow counter-clockwise; a piece against wall k
is turned by k * 90 degrees so that its back touches the wall.
"""

from collections.abc import Callable

import numpy as np

from training.scenes import props, textures
from training.scenes.catalogue import Piece
from training.scenes.furniture import Model, Shelf
from training.scenes.props import Prop
from training.scenes.room import Block, overlap, Room, Surface
from training.scenes.shapes import Mesh
from training.scenes.stock import Stock
from training.scenes.world import Look

Rng = np.random.Generator
Loader = Callable[[Piece], Model]
KINDS = ('kitchen', 'office', 'living', 'bedroom', 'dining', 'store', 'bathroom')
KIND_SHARES = (0.25, 0.25, 0.18, 0.1, 0.12, 0.06, 0.04)


class Decorator:
    """Furnishes one room; every choice comes from the one generator."""

    def __init__(self, rng: Rng, stock: Stock, load: Loader) -> None:
        self.rng = rng
        self.stock = stock
        self.load = load
        kind = str(rng.choice(KINDS, p=KIND_SHARES))
        small = kind == 'bathroom' or rng.random() < 0.35
        low, high = (2.4, 4.2) if small else (3.4, 7.5)
        size = (*(float(v) for v in rng.uniform(low, high, 2)), float(rng.uniform(2.25, 3.2)))
        self.room = Room(kind=kind, size_m=size)
        self.clutter = float(rng.uniform(0.15, 1.0)) ** 0.7
        self.recolour = float(rng.uniform(0, 0.6))
        self.models: dict[str, list[tuple[Mesh, Look]]] = {}
        self.openings: list[list[tuple[float, float, float, float]]] = [[], [], [], []]
        self.reserved: Block | None = None  # the floor before the door
        self.wall_look = self.paint(textures.WALLS)
        self.wood_look = self.paint(textures.TOPS)

    def chance(self, probability: float) -> bool:
        return bool(self.rng.random() < probability)

    def paint(self, makers: tuple) -> Look:
        rng = self.rng
        return Look(
            picture=textures.pick(rng, makers),
            repeat_m=float(rng.uniform(0.6, 2.2)),
            gloss=float(rng.choice([0.02, 0.1, 0.4])),
        )

    def wall_frame(self, wall: int) -> tuple[float, float]:
        """Length of a wall and its distance from the centre."""
        width, depth, _ = self.room.size_m
        return (width, depth / 2) if wall % 2 == 0 else (depth, width / 2)

    def at_wall(self, wall: int, along: float, inwards: float) -> tuple[float, float, float]:
        """World x, y and yaw of a point beside a wall."""
        yaw = wall * np.pi / 2
        _, distance = self.wall_frame(wall)
        out = distance - inwards
        cos, sin = np.cos(yaw), np.sin(yaw)
        return float(cos * along - sin * out), float(sin * along + cos * out), float(yaw)

    def looks(self, piece: Piece) -> tuple[Model, list[tuple[Mesh, Look]]]:
        """Load a piece; all its copies in a room share one set of colours."""
        model = self.load(piece)
        if piece.key not in self.models:
            self.models[piece.key] = self.dress(model)
        return model, self.models[piece.key]

    def dress(self, model: Model) -> list[tuple[Mesh, Look]]:
        """Keep the maker's materials, or re-colour, or paint over with a procedural picture."""
        rng = self.rng
        dressed = []
        gain = (
            rng.uniform(0.75, 1.2, 3)
            if self.chance(self.recolour)
            else np.full(3, rng.uniform(0.85, 1.15))
        )
        for part in model.parts:
            uv, repeat, picture = part.uv, 0.0, part.picture
            colour = np.asarray(part.colour) * gain + 0.02
            if picture is not None:
                colour = np.minimum(gain, 1.0)
            elif self.chance(0.35 * self.recolour + 0.1):
                picture = textures.stocked(rng, textures.ANY)
                uv, repeat = part.metric_uv, float(rng.uniform(0.3, 1.2))
                colour = np.ones(3)
            elif self.chance(self.recolour * 0.5):
                colour = np.asarray(props.colour(rng))
            mesh = Mesh(vertices=part.vertices, normals=part.normals, uv=uv, faces=part.faces)
            look = Look(
                picture=picture,
                colour=tuple(float(c) for c in np.clip(colour, 0, 1)),
                repeat_m=repeat,
                gloss=float(rng.choice([0.02, 0.1, 0.4])),
            )
            dressed.append((mesh, look))
        return dressed

    def block(self, size: tuple, x: float, y: float, z: float, yaw: float) -> Block:
        return Block(
            x=x,
            y=y,
            yaw_rad=yaw,
            half_width=size[0] / 2,
            half_depth=size[1] / 2,
            bottom=z,
            top=z + size[2],
        )

    def fits(self, block: Block, ignore: tuple[Block, ...] = ()) -> bool:
        corners = block.corners()
        width, depth, height = self.room.size_m
        inside = (np.abs(corners) <= np.array([width, depth]) / 2 + 0.01).all()
        if not inside or block.top > height:
            return False
        if self.reserved is not None and overlap(block, self.reserved):
            return False
        return not any(overlap(block, other) for other in self.room.blocks if other not in ignore)

    def put(
        self,
        piece: Piece,
        x: float,
        y: float,
        z: float,
        yaw: float,
        *,
        solid: bool = True,
        use: str = '',
    ) -> None:
        model, parts = self.looks(piece)
        for mesh, look in parts:
            self.room.world.add(mesh, look, (x, y, z), yaw)
        if solid:
            self.room.blocks.append(self.block(piece.size_m, x, y, z, yaw))
        if use:
            for shelf in model.shelves:
                self.add_surface(shelf, np.array([x, y, z]), yaw, use)

    def add_surface(self, shelf: Shelf, position: np.ndarray, yaw: float, use: str) -> None:
        if shelf.clearance_m > 0.08 and 0.1 < position[2] + shelf.height_m < 2.0:
            self.room.surfaces.append(
                Surface(
                    shelf=shelf, free=shelf.free.copy(), position=position, yaw_rad=yaw, use=use
                )
            )

    def try_put(
        self, piece: Piece, x: float, y: float, z: float, yaw: float, use: str = ''
    ) -> bool:
        if not self.fits(self.block(piece.size_m, x, y, z, yaw)):
            return False
        self.put(piece, x, y, z, yaw, use=use)
        return True

    def against_wall(self, piece: Piece, wall: int, along: float, use: str = '') -> bool:
        """Stand a piece at a wall unless it would cover a door, or a window it is too tall for."""
        half = piece.size_m[0] / 2
        length, _ = self.wall_frame(wall)
        if abs(along) + half > length / 2:
            return False
        top = piece.elevation_m + piece.size_m[2]
        for start, end, sill, _ in self.openings[wall]:
            if along + half > start and along - half < end and top > sill + 0.15:
                return False
        gap = float(self.rng.uniform(0.0, 0.04))
        x, y, yaw = self.at_wall(wall, along, piece.size_m[1] / 2 + gap)
        return self.try_put(piece, x, y, piece.elevation_m, yaw, use)

    def along_walls(
        self, roles: list[tuple[str, str, float]], walls: list[int], fill: float
    ) -> None:
        """Line walls with pieces of (role, use, weight)."""
        weights = np.array([weight for _, _, weight in roles])
        for wall in walls:
            length, _ = self.wall_frame(wall)
            cursor = -length / 2 + float(self.rng.uniform(0.0, 0.5))
            while cursor < length / 2:
                if not self.chance(fill):
                    cursor += float(self.rng.uniform(0.3, 1.0))
                    continue
                role, use, _ = roles[int(self.rng.choice(len(roles), p=weights / weights.sum()))]
                piece = self.stock.pick(self.rng, role)
                along = cursor + piece.size_m[0] / 2
                if self.against_wall(piece, wall, along, use):
                    cursor += piece.size_m[0] + float(self.rng.choice([0.0, 0.02, 0.15, 0.5]))
                else:
                    cursor += 0.25

    def put_prop(self, prop: Prop, x: float, y: float, z: float, yaw: float) -> None:
        for mesh, look in prop.parts:
            self.room.world.add(mesh, look, (x, y, z), yaw)
