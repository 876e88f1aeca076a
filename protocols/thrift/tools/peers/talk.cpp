// Apache Thrift for C++ as client and server: see thrift_peers.py for what it is told.

#include <iostream>
#include <memory>
#include <mutex>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <thrift/TApplicationException.h>
#include <thrift/TOutput.h>
#include <thrift/processor/TMultiplexedProcessor.h>
#include <thrift/protocol/TBinaryProtocol.h>
#include <thrift/protocol/TCompactProtocol.h>
#include <thrift/protocol/THeaderProtocol.h>
#include <thrift/protocol/TJSONProtocol.h>
#include <thrift/protocol/TMultiplexedProtocol.h>
#include <thrift/server/TThreadedServer.h>
#include <thrift/transport/TBufferTransports.h>
#include <thrift/transport/THeaderTransport.h>
#include <thrift/transport/THttpClient.h>
#include <thrift/transport/THttpServer.h>
#include <thrift/transport/TServerSocket.h>
#include <thrift/transport/TSocket.h>
#include <thrift/transport/TZlibTransport.h>

#include "Bigger.h"
#include "Shop.h"
#include "Stall.h"

using namespace apache::thrift;
using namespace apache::thrift::protocol;
using namespace apache::thrift::server;
using namespace apache::thrift::transport;
using namespace l7peers;
using std::make_shared;
using std::shared_ptr;
using std::string;
using std::to_string;
using Words = std::vector<string>;

static std::mutex guard;
static Words seen;

static string hex(const string& octets) {
  static const char digits[] = "0123456789abcdef";
  string made;
  for (unsigned char each : octets) {
    made += digits[each >> 4];
    made += digits[each & 15];
  }
  return made;
}

static string text(const string& given) {
  string made;
  for (size_t at = 0; at + 1 < given.size(); at += 2) {
    made += static_cast<char>(std::stoi(given.substr(at, 2), nullptr, 16));
  }
  return made;
}

static Words split(const string& given, char by) {
  Words made;
  std::istringstream stream(given);
  for (string each; std::getline(stream, each, by);) made.push_back(each);
  return made;
}

template <typename T>
static string written(const T& value) {
  auto memory = make_shared<TMemoryBuffer>();
  TBinaryProtocol protocol(memory);
  value.write(&protocol);
  return hex(memory->getBufferAsString());
}

template <typename T>
static T read(const string& given) {
  auto memory = make_shared<TMemoryBuffer>();
  memory->write(reinterpret_cast<const uint8_t*>(text(given).data()), given.size() / 2);
  TBinaryProtocol protocol(memory);
  T value;
  value.read(&protocol);
  return value;
}

static void see(const string& name, const string& given = "") {
  std::lock_guard<std::mutex> held(guard);
  seen.push_back(name + ":" + given);
}

static void raise(const string& name) {
  if (name == "oops") {
    Oops error;
    error.__set_why("it is gone");
    error.__set_code(-7);
    throw error;
  }
  if (name == "denied") {
    Denied error;
    error.__set_reason("nobody may");
    error.__set_details({"a", "b"});
    throw error;
  }
}

struct ShopHandler : ShopIf {
  void hello(string& answer, const string& name) override {
    see("Shop.hello", hex(name));
    answer = "hello " + name;
  }
  void nothing() override { see("Shop.nothing"); }
  void echo(Everything& answer, const Everything& value) override {
    see("Shop.echo", written(value));
    answer = value;
  }
  void grow(Tree& answer, const Tree& tree, const int32_t levels) override {
    see("Shop.grow", written(tree) + "," + to_string(levels));
    answer = tree;
    for (int32_t level = 0; level < levels; level++) {
      Tree made;
      made.__set_name("level " + to_string(level));
      made.__set_children({answer});
      answer = made;
    }
  }
  void swap(Value& answer, const Value& value) override {
    see("Shop.swap", written(value));
    answer.__set_values({value});
  }
  void find(Item& answer, const string& name) override {
    see("Shop.find", hex(name));
    raise(name);
    answer.__set_name(name);
    answer.__set_count(3);
  }
  void check(const string& name) override {
    see("Shop.check", hex(name));
    raise(name);
  }
  void fire(const string& what) override { see("Shop.fire", hex(what)); }
  int32_t add(const int32_t left, const int32_t right) override {
    see("Shop.add", to_string(left) + "," + to_string(right));
    return left + right;
  }
  void missing(Item&) override { see("Shop.missing"); }
  void failing(string&, const string& why) override {
    see("Shop.failing", hex(why));
    throw std::runtime_error(why);
  }
};

struct StallHandler : StallIf {
  void hello(string& answer, const string& name) override {
    see("Stall.hello", hex(name));
    answer = "hello " + name;
  }
  int64_t count(const std::vector<int64_t>& many) override {
    int64_t sum = 0;
    string told;
    for (int64_t each : many) {
      sum += each;
      told += (told.empty() ? "" : ";") + to_string(each);
    }
    see("Stall.count", told);
    return sum;
  }
};

struct ZlibFactory : TTransportFactory {
  shared_ptr<TTransport> getTransport(shared_ptr<TTransport> end) override {
    return make_shared<TZlibTransport>(make_shared<TBufferedTransport>(end));
  }
};

static shared_ptr<TProtocolFactory> protocols(const string& transport, const string& encoding) {
  if (transport.rfind("header", 0) == 0) return make_shared<THeaderProtocolFactory>();
  if (encoding == "compact") return make_shared<TCompactProtocolFactory>();
  if (encoding == "json") return make_shared<TJSONProtocolFactory>();
  bool strict = encoding != "old-binary";
  return make_shared<TBinaryProtocolFactory>(0, 0, strict, strict);
}

static shared_ptr<TTransportFactory> transports(const string& transport) {
  if (transport == "framed") return make_shared<TFramedTransportFactory>();
  if (transport == "zlib") return make_shared<ZlibFactory>();
  if (transport == "http") return make_shared<THttpServerTransportFactory>();
  if (transport == "unframed") return make_shared<TBufferedTransportFactory>();
  return make_shared<TTransportFactory>();
}

struct Listening : TServerEventHandler {
  std::mutex begun;
  Listening() { begun.lock(); }
  void preServe() override { begun.unlock(); }
};

static void serve(int port, const string& transport, const string& encoding, bool multiplexed) {
  shared_ptr<TProcessor> processor = make_shared<ShopProcessor>(make_shared<ShopHandler>());
  if (multiplexed) {
    auto many = make_shared<TMultiplexedProcessor>();
    many->registerProcessor("Shop", processor);
    many->registerProcessor("Stall", make_shared<StallProcessor>(make_shared<StallHandler>()));
    processor = many;
  }
  auto socket = make_shared<TServerSocket>("127.0.0.1", port);
  auto server = make_shared<TThreadedServer>(processor, socket, transports(transport), protocols(transport, encoding));
  auto listening = make_shared<Listening>();
  server->setServerEventHandler(listening);
  std::thread([server] { server->serve(); }).detach();
  listening->begun.lock();
}

// One connection, and clients of services on it.
struct Client {
  shared_ptr<TTransport> transport;
  shared_ptr<THeaderProtocol> header;
  shared_ptr<BiggerClient> shop;
  shared_ptr<StallClient> stall;
  Words infos;

  Client(int port, const string& kind, const string& encoding, bool multiplexed, const string& given) {
    auto socket = make_shared<TSocket>("127.0.0.1", port);
    socket->setRecvTimeout(20000);
    shared_ptr<TProtocol> protocol;
    if (kind.rfind("header", 0) == 0) {
      transport = socket;
      header = make_shared<THeaderProtocol>(socket, encoding == "compact" ? T_COMPACT_PROTOCOL : T_BINARY_PROTOCOL);
      if (kind == "header-zlib") {
        std::dynamic_pointer_cast<THeaderTransport>(header->getTransport())->setTransform(THeaderTransport::ZLIB_TRANSFORM);
      }
      protocol = header;
      if (given != "-") infos = split(given, ',');
    } else {
      if (kind == "http") {
        transport = make_shared<THttpClient>(socket, "127.0.0.1", "/");
      } else {
        transport = transports(kind)->getTransport(socket);
      }
      protocol = protocols(kind, encoding)->getProtocol(transport);
    }
    transport->open();
    shared_ptr<TProtocol> one = protocol, two = protocol;
    if (multiplexed) {
      one = make_shared<TMultiplexedProtocol>(protocol, "Shop");
      two = make_shared<TMultiplexedProtocol>(protocol, "Stall");
    }
    shop = make_shared<BiggerClient>(one);
    stall = make_shared<StallClient>(two);
  }

  string call(const string& name, const Words& given) {
    string first = given.empty() ? "" : given[0];
    string told;
    for (const string& each : infos) {
      size_t at = each.find('=');
      header->setHeader(each.substr(0, at), each.substr(at + 1));
    }
    if (name == "Shop.hello") {
      shop->hello(told, text(first));
    } else if (name == "Shop.notThere") {
      shop->notThere(told, text(first));
    } else if (name == "Shop.failing") {
      shop->failing(told, text(first));
    } else if (name == "Stall.hello") {
      stall->hello(told, text(first));
    } else if (name == "Shop.nothing") {
      shop->nothing();
      return "void";
    } else if (name == "Shop.check") {
      shop->check(text(first));
      return "void";
    } else if (name == "Shop.fire") {
      shop->fire(text(first));
      return "oneway";
    } else if (name == "Shop.add") {
      return "int:" + to_string(shop->add(std::stoi(first), std::stoi(given[1])));
    } else if (name == "Stall.count") {
      std::vector<int64_t> many;
      for (const string& each : split(first, ';')) many.push_back(std::stoll(each));
      return "int:" + to_string(stall->count(many));
    } else if (name == "Shop.echo") {
      Everything value;
      shop->echo(value, read<Everything>(first));
      return "struct:" + written(value);
    } else if (name == "Shop.grow") {
      Tree value;
      shop->grow(value, read<Tree>(first), std::stoi(given[1]));
      return "struct:" + written(value);
    } else if (name == "Shop.swap") {
      Value value;
      shop->swap(value, read<Value>(first));
      return "struct:" + written(value);
    } else {
      Item value;
      if (name == "Shop.find") {
        shop->find(value, text(first));
      } else {
        shop->missing(value);
      }
      return "struct:" + written(value);
    }
    return "text:" + hex(told);
  }
};

static Words calls(const Words& words) {
  Words said;
  shared_ptr<Client> client;
  for (size_t number = 6; number < words.size(); number++) {
    size_t colon = words[number].find(':');
    string name = words[number].substr(0, colon);
    Words given = split(words[number].substr(colon + 1), ',');
    try {
      if (!client) client = make_shared<Client>(std::stoi(words[1]), words[2], words[3], words[4] == "1", words[5]);
      said.push_back(client->call(name, given));
    } catch (const Oops& error) {
      said.push_back("Oops:" + written(error));
    } catch (const Denied& error) {
      said.push_back("Denied:" + written(error));
    } catch (const TApplicationException& error) {
      // what() makes a text of its own where there is none.
      said.push_back("application:" + to_string(error.getType()) + ":" + hex(error.what()));
    } catch (const std::exception& error) {
      said.push_back("lost:" + hex(error.what()));
      if (client) client->transport->close();
      client.reset();
    }
    // Servers of HTTP that close behind each answer would be noticed too late.
    if (client && words[2] == "http") {
      client->transport->close();
      client.reset();
    }
  }
  if (client) client->transport->close();
  return said;
}

int main() {
  GlobalOutput.setOutputFunction([](const char*) {});
  for (string line; std::getline(std::cin, line);) {
    Words words = split(line, ' ');
    Words answer = {"serves"};
    if (words[0] == "serve") {
      serve(std::stoi(words[1]), words[2], words[3], words[4] == "1");
    } else if (words[0] == "call") {
      answer = calls(words);
    } else {
      std::lock_guard<std::mutex> held(guard);
      answer = {"seen"};
      answer.insert(answer.end(), seen.begin(), seen.end());
      seen.clear();
    }
    string told;
    for (const string& each : answer) told += (told.empty() ? "" : " ") + each;
    std::cout << told << std::endl;
  }
  std::_Exit(0);
}
