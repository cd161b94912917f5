#pragma once

#include <pthread.h>

#include <cstddef>
#include <cstdint>

/**
 * The part of libibverbs' public binary interface (infiniband/verbs.h, symbol version IBVERBS_1.1) that is used here,
 * declared anew so that neither the build nor the host needs its headers. These layouts are compiled into every verbs
 * program and only ever grow at their ends; a test compares them with the real header where that is installed.
 */
namespace sockdoc::verbs {

struct Device {
  void* operations[2];
  int node_type;
  int transport_type;
  char name[64];      // "mlx5_0"
  char dev_name[64];  // "uverbs0"
  char dev_path[256];
  char ibdev_path[256];
};

/** struct ibv_device_attr */
struct DeviceAttributes {
  char firmware[64];
  std::uint64_t node_guid;
  std::uint64_t sys_image_guid;
  std::uint64_t max_mr_size;
  std::uint64_t page_size_cap;
  std::uint32_t vendor_id, vendor_part_id, hw_ver;
  int max_qp, max_qp_wr;
  unsigned device_cap_flags;
  int max_sge, max_sge_rd, max_cq, max_cqe, max_mr, max_pd;
  int max_qp_rd_atom, max_ee_rd_atom, max_res_rd_atom, max_qp_init_rd_atom, max_ee_init_rd_atom;
  int atomic_cap;
  int max_ee, max_rdd, max_mw, max_raw_ipv6_qp, max_raw_ethy_qp, max_mcast_grp, max_mcast_qp_attach,
      max_total_mcast_qp_attach, max_ah, max_fmr, max_map_per_fmr, max_srq, max_srq_wr, max_srq_sge;
  std::uint16_t max_pkeys;
  std::uint8_t local_ca_ack_delay, phys_port_cnt;
};

/** struct ibv_device_attr_ex, filled by the provider up to the size that it is told. */
struct ExtendedAttributes {
  DeviceAttributes original;
  std::uint32_t comp_mask;
  struct {
    std::uint64_t general;  // bit 0: IBV_ODP_SUPPORT
    std::uint32_t rc, uc, ud;
  } on_demand_paging;
  std::uint64_t completion_timestamp_mask, hca_core_clock, device_cap_flags_ex;
  struct {
    std::uint32_t max_tso, supported_qpts;
  } tso;
  struct {
    std::uint32_t supported_qpts, max_tables, max_table_size;
    std::uint64_t hash_fields;
    std::uint8_t hash_function;
  } rss;
  std::uint32_t max_wq_type_rq;
  struct {
    std::uint32_t min, max, supported_qpts;
  } packet_pacing;
  std::uint32_t raw_packet_caps;
  struct {
    std::uint32_t max_header, max_tags, flags, max_ops, max_sge;
  } tag_matching;
  struct {
    std::uint16_t max_count, max_period;
  } cq_moderation;
  std::uint64_t max_dm_size;
  struct {
    std::uint16_t fetch_add, swap, compare_swap;
  } pci_atomics;
  std::uint32_t xrc_odp_caps;
  std::uint32_t phys_port_cnt_ex;
};

/** The head of struct ibv_port_attr: what the exported ibv_query_port fills in for programs of any age. */
struct PortAttributes {
  int state;
  int max_mtu, active_mtu;  // enum ibv_mtu: 1 is 256 bytes, 5 is 4096
  int gid_table_length;
  char rest[64];
};

/** struct ibv_context */
struct Context {
  Device* device;
  void* operations[32];
  int cmd_fd;
  int async_fd;
  int num_comp_vectors;
  pthread_mutex_t mutex;
  void* abi_compat;  // all ones: it is the last member of a verbs_context
};

/**
 * The tail of struct verbs_context, whose beginning grows and whose end is fixed: public inline functions such as
 * ibv_query_device_ex() find an operation by its distance from the context, and compare that with `size` first.
 */
struct ExtendedContext {
  int (*query_device_ex)(Context*, const void* input, ExtendedAttributes*, std::size_t attributes_size);
  void* between[11];
  std::size_t size;  // of the whole verbs_context
  Context context;
};

}  // namespace sockdoc::verbs
