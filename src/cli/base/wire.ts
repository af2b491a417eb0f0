import type * as model from '../../model/types.js';

/** A message of the model as it stands in a REST body: what is empty may be left out (or null), bytes are base64. */
export type Wire<T> = T extends Uint8Array
  ? string
  : T extends (infer Item)[]
    ? Wire<Item>[]
    : T extends object
      ? string extends keyof T
        ? T
        : { [Key in keyof T]?: Wire<NonNullable<T[Key]>> | undefined }
      : T;

export type Service = Wire<model.Service>;
export type ServiceSpec = Wire<model.ServiceSpec>;
export type TaskSpec = Wire<model.TaskSpec>;
export type ContainerSpec = Wire<model.ContainerSpec>;
export type Task = Wire<model.Task>;
export type Node = Wire<model.Node>;
export type NodeSpec = Wire<model.NodeSpec>;
export type SwarmSpec = Wire<model.SwarmSpec>;
export type ReplicatedJob = Wire<model.ReplicatedJob>;
export type PortConfig = Wire<model.PortConfig>;
export type Mount = Wire<model.Mount>;
export type NetworkAttachmentConfig = Wire<model.NetworkAttachmentConfig>;
export type UpdateConfig = Wire<model.UpdateConfig>;
export type HealthConfig = Wire<model.HealthConfig>;
export type GenericResource = Wire<model.GenericResource>;
export type Ulimit = Wire<model.Ulimit>;
export type Driver = Wire<model.Driver>;
export type PlacementPreference = Wire<model.PlacementPreference>;
export type SecretReference = Wire<model.SecretReference>;
export type ConfigReference = Wire<model.ConfigReference>;
export type Secret = Wire<model.Secret>;
export type Config = Wire<model.Config>;
export type Preview = Wire<model.Preview>;
export type ExternalCA = Wire<model.ExternalCA>;

/** The cluster as GET /swarm answers it. */
export type Swarm = Wire<model.Cluster>;
