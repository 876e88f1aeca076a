package main

import (
	"fmt"
	"time"

	"github.com/redis/rueidis"
)

// cache reads each key three times through rueidis's cache, has another connection change it, and says what was read, how often of the cache,
// and what is read once that is not what it was any more.
func cache(told order) any {
	address := []string{fmt.Sprintf("127.0.0.1:%d", told.To)}
	caching, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: address, ForceSingleClient: true})
	if err != nil {
		return map[string]any{"error": err.Error()}
	}
	defer caching.Close()
	results := []any{}
	for _, key := range told.Keys {
		read := func() (string, bool, error) {
			found := caching.DoCache(ctx, caching.B().Get().Key(key).Cache(), time.Hour)
			text, err := found.ToString()
			return text, found.IsCacheHit(), err
		}
		client(told).Set(ctx, key, "before", 0)
		texts, hits := []string{}, 0
		for range 3 {
			text, hit, err := read()
			if err != nil {
				return map[string]any{"error": err.Error()}
			}
			if hit {
				hits++
			}
			texts = append(texts, text)
		}
		client(told).Set(ctx, key, "after", 0)
		last := texts[0]
		for end := time.Now().Add(5 * time.Second); last == texts[0] && time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
			if last, _, err = read(); err != nil {
				return map[string]any{"error": err.Error()}
			}
		}
		results = append(results, []any{texts, hits, last})
	}
	return map[string]any{"results": results}
}
