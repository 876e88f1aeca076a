"""What every message of Kafka is made of: the table, and one interpreter over it. It knows no connections and no meaning."""
