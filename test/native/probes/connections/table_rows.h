#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>

#include <string>

#include "probes/connections/row_view.h"

namespace sockdoc {

/** "10.0.0.1:80", "[::1]:80" as an address in its family and a port. */
inline Address endpoint_of(const std::string& text, std::uint8_t& family, std::uint16_t& port) {
  const std::size_t colon = text.rfind(':');
  port = static_cast<std::uint16_t>(std::stoi(text.substr(colon + 1)));
  std::string address = text.substr(0, colon);
  family = AF_INET;
  if (address.front() == '[') {
    family = AF_INET6;
    address = address.substr(1, address.find_first_of("%]") - 1);
  }
  std::uint32_t words[4] = {};
  ::inet_pton(family, address.c_str(), words);
  return address_of(family, words);
}

/** A socket of which the kernel told everything, with these ends. */
inline InetSocket socket_of(const std::string& local, const std::string& remote, std::uint32_t inode = 1) {
  InetSocket socket;
  socket.state = kEstablished;
  socket.inode = inode;
  socket.cookie = inode;
  socket.local = endpoint_of(local, socket.family, socket.local_port);
  socket.remote = endpoint_of(remote, socket.family, socket.remote_port);
  socket.info.length = sizeof(TcpInfoFields);
  return socket;
}

/** A reading of one namespace to which a test adds its rows. */
struct MadeReading {
  TableReading reading;

  explicit MadeReading(double window_ms = 0) {
    reading.netns.emplace_back().window_ms = window_ms;
    reading.netns.front().at_ms = 1'000'000;
  }
  TableRow& add(const InetSocket& socket, std::uint32_t netns = 0) {
    TableRow& row = reading.rows.emplace_back();
    row.socket = socket;
    row.netns = netns;
    return row;
  }
  /** A process, as many of them as there are sockets in `inodes`, which it holds from descriptor 3 on. */
  void process(int pid, const std::string& comm, const std::vector<std::uint32_t>& inodes) {
    ProcessEntry& entry = reading.processes.all().emplace_back();
    entry.pid = pid;
    entry.stat.comm = comm;
    int fd = 3;
    for (const std::uint32_t inode : inodes) {
      held_.push_back({inode, static_cast<std::uint32_t>(reading.processes.all().size() - 1), fd++, 0});
    }
    reading.descriptors = DescriptorTable::of(held_);
  }

 private:
  std::vector<HeldSocket> held_;
};

}  // namespace sockdoc
