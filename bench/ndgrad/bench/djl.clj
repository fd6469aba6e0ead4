(ns ndgrad.bench.djl
  "Workloads of ndgrad.bench.workloads in DJL over PyTorch: those that DJL's NDArray has ops for. Each call closes the
  arrays it made, as DJL's users must."
  (:refer-clojure :exclude [reductions])
  (:import
   (ai.djl.engine Engine)
   (ai.djl.ndarray NDArray NDManager)
   (ai.djl.ndarray.types DataType Shape)))

(set! *warn-on-reflection* true)

(def ^:private ^NDManager manager (delay (NDManager/newBaseManager)))

(defn- normal ^NDArray [dtype & shape]
  (.randomNormal ^NDManager @manager 0.0 1.0 (Shape. (long-array shape)) dtype))

(defn- f32 ^NDArray [& shape] (apply normal DataType/FLOAT32 shape))
(defn- f64 ^NDArray [& shape] (apply normal DataType/FLOAT64 shape))

(defn- closing
  "A workload that frees the array `f` gives."
  [f]
  #(.close ^NDArray (f)))

(defn- elementwise []
  (let [p (f32 1000 1000) q (f32 1000 1000) d (f64 1000 1000) row (f32 1000) column (f32 1000 1)]
    {"W03" (closing #(.add p q))
     "W04" (closing #(.exp d))
     "W04b" (closing #(.tanh p))
     "W14a" (closing #(with-open [t (.transpose q)] (.add p t)))
     "W16" (closing #(with-open [sum (.add p row)] (.add ^NDArray sum column)))}))

(defn- reductions []
  (let [m (f32 2000 2000) flat (f32 1000000)
        axis (fn [n] (int-array [n]))]
    {"W05a" (closing #(.sum m ^ints (axis 0)))
     "W05b" (closing #(.sum m ^ints (axis 1)))
     "W05c" (closing #(.sum m))
     "W17" (closing #(.cumSum m 1))
     "W18" (closing #(.sort flat))
     "W19" (closing #(.argMax m 1))}))

(defn- matrices []
  (let [a (f32 1024 1024) b (f32 1024 1024) c (f64 1024 1024) d (f64 1024 1024)
        s (f32 16 16) t (f32 16 16) x (f32 128 64 64) y (f32 128 64 64)]
    {"W07a" (closing #(.matMul a b))
     "W07b" (closing #(.matMul c d))
     "W08" (closing #(.matMul s t))
     "W09" (closing #(.matMul x y))}))

(defn- gradients []
  (let [sm (doto (f32 1024 1024) (.setRequiresGradient true))
        up (f32 1024 1024)]
    ;; a collector takes no upstream gradient: the same pass through a product
    {"W06" (fn []
             (with-open [collector (.newGradientCollector (Engine/getInstance))
                         y (.softmax sm -1)
                         weighted (.mul ^NDArray y up)
                         total (.sum ^NDArray weighted)]
               (.backward ^ai.djl.training.GradientCollector collector total)))}))

(def ^:private groups
  (into {}
        (for [[make keys] [[elementwise ["W03" "W04" "W04b" "W14a" "W16"]]
                           [reductions ["W05a" "W05b" "W05c" "W17" "W18" "W19"]]
                           [matrices ["W07a" "W07b" "W08" "W09"]]
                           [gradients ["W06"]]]
              :let [made (delay (make))]
              key keys]
          [key made])))

(defn workload
  "The workload called `key`, a function of no arguments; nil when there is none."
  [key]
  (some-> (groups key) deref (get key)))

(defn description
  "The engine below DJL."
  []
  (let [engine (Engine/getInstance)]
    (str "DJL, " (.getEngineName engine) " " (.getVersion engine))))
