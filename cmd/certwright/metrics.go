package main

import (
	"context"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// scrapeTimeout is how long the database may take to answer a scrape.
const scrapeTimeout = 5 * time.Second

// metrics counts what goes on, for Prometheus.
type metrics struct {
	registry *prometheus.Registry
	requests *prometheus.HistogramVec
}

func newMetrics(sys *system) *metrics {
	m := &metrics{registry: prometheus.NewRegistry(), requests: prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "certwright_http_request_duration_seconds", Help: "How long requests of the vendors' APIs took.",
		Buckets: []float64{.001, .005, .01, .05, .1, .5, 1, 5, 30, 120},
	}, []string{"code", "method"})}
	m.registry.MustRegister(m.requests, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), queue{sys})
	return m
}

func (m *metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

func (m *metrics) count(h http.Handler) http.Handler {
	return promhttp.InstrumentHandlerDuration(m.requests, h)
}

// queue tells how much work is open, at the moment of the scrape.
type queue struct{ sys *system }

var openWork = prometheus.NewDesc("certwright_open_work", "Work that has not ended, by how it stands.", []string{"state"}, nil)

func (q queue) Describe(ch chan<- *prometheus.Desc) { ch <- openWork }

func (q queue) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), scrapeTimeout)
	defer cancel()
	waiting, stopped, err := q.sys.db.QueueLength(ctx)
	if err != nil {
		ch <- prometheus.NewInvalidMetric(openWork, err)
		return
	}
	ch <- prometheus.MustNewConstMetric(openWork, prometheus.GaugeValue, float64(waiting), "waiting")
	ch <- prometheus.MustNewConstMetric(openWork, prometheus.GaugeValue, float64(stopped), "stopped")
}
