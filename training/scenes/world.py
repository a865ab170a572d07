"""
A scene as things and lamps, turned into a mujoco model and drawn without a display.

Convention: world z is up; a camera's optical frame has x right, y down, z forward.
"""

from dataclasses import dataclass, field
import os

os.environ.setdefault('MUJOCO_GL', 'egl')

import mujoco
import numpy as np

from training.scenes.shapes import Mesh

NEAR_M, FAR_M = 0.04, 60.0
HIDDEN_GROUP = 5


@dataclass(frozen=True, kw_only=True, eq=False)
class Look:
    """
    How a surface looks; `repeat_m` > 0 means uv count metres and the picture repeats so often.

    Units: colour and the rest 0 to 1.
    """

    picture: np.ndarray | None = None
    colour: tuple[float, float, float] = (1.0, 1.0, 1.0)
    repeat_m: float = 0.0
    gloss: float = 0.1
    emission: float = 0.0


@dataclass(frozen=True, kw_only=True, eq=False)
class Thing:
    """A mesh at a place; things with the same `mover` (> 0) move together."""

    mesh: Mesh
    look: Look
    position: tuple[float, float, float] = (0.0, 0.0, 0.0)
    yaw_rad: float = 0.0
    mover: int = 0


@dataclass(frozen=True, kw_only=True)
class Lamp:
    position: tuple[float, float, float]
    direction: tuple[float, float, float]
    colour: tuple[float, float, float]
    sun: bool = False
    cutoff_deg: float = 90.0
    falloff: float = 0.0


@dataclass
class World:
    things: list[Thing] = field(default_factory=list)
    lamps: list[Lamp] = field(default_factory=list)
    ambient: tuple[float, float, float] = (0.3, 0.3, 0.3)

    def add(self, mesh: Mesh, look: Look, position=(0.0, 0.0, 0.0), yaw_rad=0.0, mover=0) -> None:
        self.things.append(
            Thing(
                mesh=mesh,
                look=look,
                position=tuple(float(v) for v in position),
                yaw_rad=float(yaw_rad),
                mover=mover,
            )
        )


def yaw_quat_wxyz(yaw_rad: float) -> list[float]:
    return [np.cos(yaw_rad / 2), 0.0, 0.0, np.sin(yaw_rad / 2)]


class Builder:
    """Collects each texture, material and mesh once while a model is put together."""

    def __init__(self, world: World) -> None:
        self.spec = mujoco.MjSpec()
        self.textures: dict[int, str] = {}
        self.materials: dict[int, str] = {}
        self.meshes: dict[tuple[int, float], str] = {}
        self.spec.compiler.balanceinertia = True
        self.spec.visual.headlight.ambient = world.ambient
        self.spec.visual.headlight.diffuse = [0, 0, 0]
        self.spec.visual.headlight.specular = [0, 0, 0]
        self.spec.visual.map.znear = NEAR_M
        self.spec.visual.map.zfar = FAR_M
        self.spec.visual.quality.shadowsize = 0
        self.spec.visual.quality.offsamples = 0
        self.spec.visual.global_.offwidth = 640
        self.spec.visual.global_.offheight = 512
        self.spec.stat.extent = 1.0
        self.spec.stat.center = [0, 0, 0]
        self.bodies = {0: self.spec.worldbody}

    def texture(self, picture: np.ndarray) -> str:
        name = self.textures.get(id(picture))
        if name is None:
            name = self.textures[id(picture)] = f'texture{len(self.textures)}'
            height, width = picture.shape[:2]
            texture = self.spec.add_texture(
                name=name,
                type=mujoco.mjtTexture.mjTEXTURE_2D,
                width=width,
                height=height,
                nchannel=3,
            )
            texture.data = np.ascontiguousarray(picture).tobytes()
        return name

    def material(self, look: Look) -> str:
        name = self.materials.get(id(look))
        if name is None:
            name = self.materials[id(look)] = f'material{len(self.materials)}'
            material = self.spec.add_material(
                name=name,
                rgba=[*look.colour, 1.0],
                specular=look.gloss,
                shininess=min(1.0, 0.2 + look.gloss),
                emission=look.emission,
                reflectance=0.0,
            )
            if look.picture is not None:
                textures = [''] * len(material.textures)
                textures[mujoco.mjtTextureRole.mjTEXROLE_RGB] = self.texture(look.picture)
                material.textures = textures
        return name

    def mesh(self, mesh: Mesh, repeat_m: float) -> str:
        key = id(mesh), repeat_m
        name = self.meshes.get(key)
        if name is None:
            name = self.meshes[key] = f'mesh{len(self.meshes)}'
            uv = mesh.uv / repeat_m if repeat_m > 0 else mesh.uv
            uv = np.stack([uv[:, 0], 1.0 - uv[:, 1]], 1)  # rows count from the picture's top
            self.spec.add_mesh(
                name=name,
                uservert=mesh.vertices.astype(np.float32).ravel(),
                usernormal=mesh.normals.astype(np.float32).ravel(),
                usertexcoord=uv.astype(np.float32).ravel(),
                userface=mesh.faces.astype(np.int32).ravel(),
                userfacenormal=mesh.faces.astype(np.int32).ravel(),
                userfacetexcoord=mesh.faces.astype(np.int32).ravel(),
                inertia=mujoco.mjtMeshInertia.mjMESH_INERTIA_SHELL,
            )
        return name

    def body(self, mover: int):
        if mover not in self.bodies:
            self.bodies[mover] = self.spec.worldbody.add_body(name=f'mover{mover}', mocap=True)
        return self.bodies[mover]

    def add(self, thing: Thing) -> None:
        self.body(thing.mover).add_geom(
            type=mujoco.mjtGeom.mjGEOM_MESH,
            meshname=self.mesh(thing.mesh, thing.look.repeat_m),
            material=self.material(thing.look),
            pos=thing.position,
            quat=yaw_quat_wxyz(thing.yaw_rad),
            contype=0,
            conaffinity=0,
            mass=0,
        )

    def light(self, lamp: Lamp) -> None:
        kind = mujoco.mjtLightType
        self.spec.worldbody.add_light(
            type=kind.mjLIGHT_DIRECTIONAL if lamp.sun else kind.mjLIGHT_SPOT,
            pos=lamp.position,
            dir=lamp.direction,
            diffuse=lamp.colour,
            ambient=[0, 0, 0],
            specular=[0.3 * c for c in lamp.colour],
            castshadow=False,
            cutoff=lamp.cutoff_deg,
            exponent=0.6,
            attenuation=[1.0, 0.0, lamp.falloff],
        )


def compile_world(world: World) -> mujoco.MjModel:
    builder = Builder(world)
    for thing in world.things:
        builder.add(thing)
    for lamp in world.lamps:
        builder.light(lamp)
    return builder.spec.compile()


class Screen:
    """The process's one GL context; models come and go."""

    def __init__(self) -> None:
        self.context = mujoco.GLContext(640, 480)
        self.context.make_current()


class Camera:
    """
    Draws one world: colours and z-depth of the same pixels, in one pass.

    Convention: a pixel's centre has integer coordinates, so the optical axis meets the image
    at ((width - 1) / 2, (height - 1) / 2).
    """

    def __init__(self, screen: Screen, world: World) -> None:
        screen.context.make_current()
        self.model = compile_world(world)
        self.data = mujoco.MjData(self.model)
        mujoco.mj_forward(self.model, self.data)
        self.scene = mujoco.MjvScene(self.model, maxgeom=self.model.ngeom + 50)
        self.option = mujoco.MjvOption()
        self.option.geomgroup[HIDDEN_GROUP] = 0
        self.free = mujoco.MjvCamera()
        self.context = mujoco.MjrContext(self.model, mujoco.mjtFontScale.mjFONTSCALE_50)
        mujoco.mjr_setBuffer(mujoco.mjtFramebuffer.mjFB_OFFSCREEN, self.context)
        self.context.readDepthMap = mujoco.mjtDepthMap.mjDEPTH_ZEROFAR
        self.scene.flags[mujoco.mjtRndFlag.mjRND_REFLECTION] = 0
        self.scene.flags[mujoco.mjtRndFlag.mjRND_SKYBOX] = 0
        self.scene.flags[mujoco.mjtRndFlag.mjRND_HAZE] = 0
        self.scene.flags[mujoco.mjtRndFlag.mjRND_SHADOW] = 0
        self.update()

    def update(self) -> None:
        mujoco.mjv_updateScene(
            self.model,
            self.data,
            self.option,
            None,
            self.free,
            mujoco.mjtCatBit.mjCAT_ALL,
            self.scene,
        )

    def move(self, mover: int, position: np.ndarray, yaw_rad: float) -> None:
        body = self.model.body(f'mover{mover}')
        self.data.mocap_pos[body.mocapid[0]] = position
        self.data.mocap_quat[body.mocapid[0]] = yaw_quat_wxyz(yaw_rad)

    def hide_unseen(self, world_T_cam: np.ndarray, slope_x: float, slope_y: float) -> None:
        """Leave out what lies wholly beside the view: it costs as much as what is seen."""
        centres = (self.data.geom_xpos - world_T_cam[:3, 3]) @ world_T_cam[:3, :3]
        radius = self.model.geom_rbound
        outside = np.zeros(len(radius), bool)
        for axis, slope in ((0, slope_x), (1, slope_y)):
            beyond = np.abs(centres[:, axis]) - slope * centres[:, 2]
            outside |= beyond > radius * np.hypot(1.0, slope)
        self.model.geom_group[:] = np.where(outside, HIDDEN_GROUP, 0)
        self.update()

    def settle(self) -> None:
        mujoco.mj_kinematics(self.model, self.data)

    def draw(
        self, world_T_cam: np.ndarray, fov_deg: float, size: tuple[int, int]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Draw (rgb uint8, depth_m float32) of size (width, height); fov is horizontal."""
        width, height = size
        half_width = NEAR_M * np.tan(np.deg2rad(fov_deg) / 2)
        half_height = half_width * height / width
        self.hide_unseen(world_T_cam, half_width / NEAR_M, half_height / NEAR_M)
        for camera in self.scene.camera:
            camera.pos[:] = world_T_cam[:3, 3]
            camera.forward[:] = world_T_cam[:3, 2]
            camera.up[:] = -world_T_cam[:3, 1]
            camera.frustum_center = 0.0
            camera.frustum_width = half_width
            camera.frustum_bottom = -half_height
            camera.frustum_top = half_height
            camera.frustum_near = NEAR_M
            camera.frustum_far = FAR_M
        rect = mujoco.MjrRect(0, 0, width, height)
        mujoco.mjr_render(rect, self.scene, self.context)
        rgb = np.empty((height, width, 3), np.uint8)
        raw = np.empty((height, width), np.float32)
        mujoco.mjr_readPixels(rgb, raw, rect, self.context)
        # reversed depth: 1 at the near plane, 0 at the far one
        depth = np.float32(NEAR_M * FAR_M) / (NEAR_M + raw * np.float32(FAR_M - NEAR_M))
        return rgb[::-1], depth[::-1]

    def close(self) -> None:
        self.context.free()
