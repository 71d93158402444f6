// SPDX-License-Identifier: GPL-2.0-only
// The parsers that librad has registered, which come and go while there is traffic.
#pragma once

#include <list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bpf_parser.h"
#include "error.h"
#include "parser_state.h"
#include "pins.h"

namespace libra {

// What the service needs of them; tests put something else here.
class ParserBackend {
  public:
    virtual ~ParserBackend() = default;

    virtual std::vector<KnownParser> list() const = 0;
    virtual Result<KnownParser> load(const std::string& path) = 0;
    // The file has to hold one of that name. Connections are kept.
    virtual Result<KnownParser> replace(const std::string& name, const std::string& path) = 0;
    // No policy may name it any more.
    virtual Status unload(const std::string& name) = 0;
    // Are they registered when librad has ended?
    virtual bool stay() const = 0;

    std::vector<std::string> names() const;
};

class ParserSet final : public ParserBackend {
  public:
    // They go with librad.
    ParserSet() = default;
    // They are pinned, and @state tells the next librad of them. @pins has to outlive this.
    ParserSet(const Pins& pins, ParserState state) : pins_(&pins), state_(std::move(state)) {}

    // Those that a former librad left, and these. One that was left and is called as one of
    // these goes on, unless it is an older build of the same: then it is replaced.
    Status begin(const std::vector<ParserObject>& objects);

    std::vector<KnownParser> list() const override;
    Result<KnownParser> load(const std::string& path) override;
    Result<KnownParser> replace(const std::string& name, const std::string& path) override;
    Status unload(const std::string& name) override;
    bool stay() const override { return pins_ != nullptr; }

  private:
    // A list: a parser is unregistered by its destructor, and by nothing else.
    using Parsers = std::list<Parser>;

    Result<Parsers::iterator> find(std::string_view name);
    Status adopt();
    void bring_up_to_date(Parser& parser, const ParserObject& object);
    Status add(const ParserObject& object);
    Status replace(Parser& parser, const ParserObject& object);
    Status save(const KnownParser* next = nullptr) const;
    void save_what_is() const;

    const Pins* pins_ = nullptr;
    std::optional<ParserState> state_;
    Parsers parsers_;
};

}  // namespace libra
