package spec

import "time"

// SLO is what the cluster promises to its applications. It changes nothing on the hosts: drills measure whether it is kept.
type SLO struct {
	// Failover is the longest time without writes after a fault that the cluster mends by itself, 1s to 1h. Default: 30s.
	Failover time.Duration `yaml:"failover"`
	// Switchover is the longest time without writes in a planned change of the leader, 100ms to 1h. Default: 5s.
	Switchover time.Duration `yaml:"switchover"`
	// LostRows is how many acknowledged rows a fault may cost, 0 to 1000000. Default: 0. Only a synchronous mode can promise 0
	// for the loss of the leader.
	LostRows int `yaml:"lost_rows"`
}

func (c *checker) slo() {
	c.between("slo.failover", c.SLO.Failover, time.Second, time.Hour, time.Millisecond)
	c.between("slo.switchover", c.SLO.Switchover, 100*time.Millisecond, time.Hour, time.Millisecond)
	within(c, "slo.lost_rows", c.SLO.LostRows, 0, 1000000)
}
