// Promql evaluates PromQL expressions over scrapes of metrics with the engine of Prometheus itself.
// It reads a request from standard input and writes the answer to standard output, both JSON.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strconv"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/model/textparse"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb"
)

type request struct {
	// Scrapes, oldest first.
	Scrapes []scrape `json:"scrapes"`
	// Seconds since the epoch at which expressions are evaluated.
	At int64 `json:"at"`
	// Expressions to evaluate.
	Expressions []string `json:"expressions"`
	// Rules, the content of a rule file, to check; may be empty.
	Rules string `json:"rules"`
}

type scrape struct {
	// Seconds since the epoch.
	At int64 `json:"at"`
	// Labels that the scrape gives to every series.
	Labels map[string]string `json:"labels"`
	// The text, as OpenMetrics.
	Text string `json:"text"`
}

type answer struct {
	// Evaluated, in the order of the expressions.
	Evaluated []evaluated `json:"evaluated"`
	// RuleErrors is what is wrong with the rules.
	RuleErrors []string `json:"ruleErrors"`
}

type evaluated struct {
	// Error is why the expression could not be evaluated.
	Error string `json:"error,omitempty"`
	// Samples that the expression gives.
	Samples []sample `json:"samples"`
	// Compared is what the left side gives if the expression is a comparison with a number.
	Compared []sample `json:"compared,omitempty"`
}

type sample struct {
	Labels map[string]string `json:"labels"`
	// Value as text, since JSON knows neither NaN nor infinity.
	Value string `json:"value"`
}

func main() {
	if err := run(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "promql:", err)
		os.Exit(1)
	}
}

func run(in io.Reader, out io.Writer) error {
	var asked request
	if err := json.NewDecoder(in).Decode(&asked); err != nil {
		return fmt.Errorf("request: %w", err)
	}
	folder, err := os.MkdirTemp("", "promql-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	quiet := slog.New(slog.DiscardHandler)
	options := tsdb.DefaultOptions()
	// Scrapes may be of any time, so none is too old.
	options.OutOfOrderTimeWindow = (24 * time.Hour).Milliseconds()
	db, err := tsdb.Open(folder, quiet, nil, options, nil)
	if err != nil {
		return err
	}
	defer db.Close()
	for i, scrape := range asked.Scrapes {
		if err := ingest(db, scrape); err != nil {
			return fmt.Errorf("scrape %d: %w", i, err)
		}
	}

	language := parser.NewParser(parser.Options{})
	engine := promql.NewEngine(promql.EngineOpts{
		Logger:     quiet,
		MaxSamples: 10_000_000,
		Timeout:    30 * time.Second,
		Parser:     language,
	})
	at := time.Unix(asked.At, 0)
	given := answer{Evaluated: []evaluated{}, RuleErrors: []string{}}
	for _, expression := range asked.Expressions {
		given.Evaluated = append(given.Evaluated, evaluate(engine, language, db, expression, at))
	}
	if asked.Rules != "" {
		_, problems := rulefmt.Parse([]byte(asked.Rules), false, model.UTF8Validation, language, quiet)
		for _, problem := range problems {
			given.RuleErrors = append(given.RuleErrors, problem.Error())
		}
	}
	return json.NewEncoder(out).Encode(given)
}

func ingest(db *tsdb.DB, scrape scrape) error {
	contentType := "application/openmetrics-text; version=1.0.0; charset=utf-8"
	text, err := textparse.New([]byte(scrape.Text), contentType, nil, textparse.ParserOptions{})
	if err != nil {
		return err
	}
	appender := db.Appender(context.Background())
	for {
		entry, err := text.Next()
		if errors.Is(err, io.EOF) {
			return appender.Commit()
		}
		if err != nil {
			return errors.Join(err, appender.Rollback())
		}
		if entry != textparse.EntrySeries {
			continue
		}
		_, _, value := text.Series()
		var series labels.Labels
		text.Labels(&series)
		builder := labels.NewBuilder(series)
		for name, value := range scrape.Labels {
			builder.Set(name, value)
		}
		if _, err := appender.Append(0, builder.Labels(), scrape.At*1000, value); err != nil {
			return errors.Join(err, appender.Rollback())
		}
	}
}

func evaluate(engine *promql.Engine, language parser.Parser, db storage.Queryable, expression string, at time.Time) evaluated {
	parsed, err := language.ParseExpr(expression)
	if err != nil {
		return evaluated{Error: err.Error()}
	}
	samples, err := query(engine, db, expression, at)
	if err != nil {
		return evaluated{Error: err.Error()}
	}
	result := evaluated{Samples: samples}
	binary, ok := parsed.(*parser.BinaryExpr)
	if ok && binary.Op.IsComparisonOperator() {
		if result.Compared, err = query(engine, db, binary.LHS.String(), at); err != nil {
			return evaluated{Error: err.Error()}
		}
	}
	return result
}

func query(engine *promql.Engine, db storage.Queryable, expression string, at time.Time) ([]sample, error) {
	query, err := engine.NewInstantQuery(context.Background(), db, nil, expression, at)
	if err != nil {
		return nil, err
	}
	defer query.Close()
	result := query.Exec(context.Background())
	if result.Err != nil {
		return nil, result.Err
	}
	samples := []sample{}
	switch value := result.Value.(type) {
	case promql.Vector:
		for _, found := range value {
			samples = append(samples, sample{Labels: found.Metric.Map(), Value: format(found.F)})
		}
	case promql.Scalar:
		samples = append(samples, sample{Value: format(value.V)})
	default:
		return nil, fmt.Errorf("%s gives a %s", expression, value.Type())
	}
	return samples, nil
}

func format(value float64) string {
	return strconv.FormatFloat(value, 'g', -1, 64)
}
