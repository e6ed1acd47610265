// Reads a dashboard as Grafana's own schema of dashboards, panels and queries has it, and its queries as Prometheus does: what those do not
// know is an error.
package main

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/grafana/grafana-foundation-sdk/go/cog/plugins"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/prometheus/prometheus/promql/parser"
)

func main() {
	plugins.RegisterDefaultPlugins()
	for _, file := range os.Args[1:] {
		queries, fault := read(file)
		if fault != "" {
			fmt.Printf("%s: %s\n", file, fault)
			os.Exit(1)
		}
		fmt.Printf("%s: %d queries\n", file, queries)
	}
}

// How many queries there are, or what is wrong. Grafana's library has errors that are none: lists without anything in them.
func read(file string) (int, string) {
	text, err := os.ReadFile(file)
	if err != nil {
		return 0, err.Error()
	}
	var known dashboard.Dashboard
	if err := known.UnmarshalJSONStrict(text); err != nil && err.Error() != "" {
		return 0, err.Error()
	}
	if err := known.Validate(); err != nil && err.Error() != "" {
		return 0, err.Error()
	}
	var board struct {
		Panels []struct {
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(text, &board); err != nil {
		return 0, err.Error()
	}
	queries := 0
	for _, panel := range board.Panels {
		for _, target := range panel.Targets {
			if _, err := parser.NewParser(parser.Options{}).ParseExpr(target.Expr); err != nil {
				return 0, target.Expr + ": " + err.Error()
			}
			queries++
		}
	}
	return queries, ""
}
